"""Other databases that answer the same questions over the same jobs: each at its best, none behind HTTP."""
