"""The layout of the store in Python: names of keys, and how the strings under them are packed and parsed.

Pure: it imports nothing of the store but its errors. docs/store.md describes every key and every byte. The scripts in
`scripts/` write most of what this package parses.
"""
