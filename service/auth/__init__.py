"""Who is asking: callers from tokens."""
