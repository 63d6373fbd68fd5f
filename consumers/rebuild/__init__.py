"""Rebuilds the store: reads the topic again from its beginning into a new generation, beside the live one."""
