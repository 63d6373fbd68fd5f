"""Brings records into the store: polls, decodes and folds them into batches, and writes the batches."""
