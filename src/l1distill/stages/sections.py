"""Sections of the configuration."""

WHERE_AND_HOW = ("output", "executor", "tracking", "require_promotion", "dry_run", "candidate")
"""Those that do not change what comes out: neither recorded nor part of a fingerprint."""
WHERE = ("search.database",)
"""Single keys, likewise; an address may hold a password."""
