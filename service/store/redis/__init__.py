"""Talks to Redis servers: clients, connections, scripts, what an outage is, what time it is there."""
