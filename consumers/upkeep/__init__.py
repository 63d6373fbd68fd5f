"""Runs beside ingest at a small share of Redis' time: sweep, scrub, and a watch over the server of the store."""
