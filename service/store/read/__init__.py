"""Answers questions from the store."""
