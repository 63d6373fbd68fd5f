"""What goes on beside ingest at a small share of the time of Redis: retention, scrub, a look at the server."""
