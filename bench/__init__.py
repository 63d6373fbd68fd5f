"""Measures the project on real servers: `python -m bench`. What each figure means is in docs/performance.md."""

import os

# As in the API, whose store some parts have in their own process: before numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
