"""What the API and the consumers both need to run: settings, the log, and the tuning of garbage collection."""
