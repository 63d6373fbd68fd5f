"""Measures the project on real servers: `python -m bench`. What each figure means is in docs/performance.md."""
