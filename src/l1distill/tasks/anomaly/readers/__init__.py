"""Readers: events from files that were not made here, each ending in the one event format."""
