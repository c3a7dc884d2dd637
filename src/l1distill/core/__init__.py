"""Errors, settings, files, progress: what every other package stands on."""
