"""What the API and the consumers both need to run: settings, log, tasks, and the tuning of garbage collection."""
