"""Recomputes what is stored from the job records, finds what differs, and mends it."""
