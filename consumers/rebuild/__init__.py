"""Reads the topic again from its beginning, beside the live counters."""
