"""Sizes of what the nodes of the time tree hold. Pure; docs/store.md describes each byte."""

ENTRY_BYTES = 21
# a row is narrow or wide, all rows of a node alike; by the marker that the node's string begins with
ROW_BYTES = {b"r": 19, b"R": 40}
LEAF_JOBS = 128  # a leaf with more of them splits
