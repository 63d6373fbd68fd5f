"""Finds the offsets from which each partition must be read, by the heads in the store and by the topic."""
