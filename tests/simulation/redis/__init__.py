"""The Redis of the simulation: real servers, one or a cluster of three, behind fronts that run in virtual time.

Begin at `server.py` (one primary, and all its faults) and `cluster.py` (three).
"""
