"""Talks to Redis servers: clients, connections, scripts and their gate, outages, eviction, and the servers' time."""
