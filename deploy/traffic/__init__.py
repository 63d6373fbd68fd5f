"""Publishes lifelike job events: first months of history, then a few live ones each second."""
