"""Writes batches of events to the store."""
