"""Lifelike job events: months of history, then a live trickle."""
