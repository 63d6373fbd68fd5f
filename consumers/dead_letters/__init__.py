"""Records that are no events: written to a topic of their own, read back, sent back."""
