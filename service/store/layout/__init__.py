"""The layout of the store as Python sees it: keys and packed strings.

Pure: it imports nothing of the store but its errors. docs/store.md describes every key and every byte; the scripts in
`scripts/` write what this room reads.
"""
