"""Readers of files of events from elsewhere; each converts to the event format of the task."""
