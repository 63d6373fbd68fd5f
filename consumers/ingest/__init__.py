"""The way of a record into the store."""
