"""Where each partition must be read from."""
