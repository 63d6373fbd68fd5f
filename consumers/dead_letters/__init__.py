"""Writes dead letters to their topic, reads them back, and sends them back to the topic of events."""
