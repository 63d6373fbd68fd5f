"""Writes to the store: folds events into batches, applies them by a script, claims freshness, and reads gaps."""
