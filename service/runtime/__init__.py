"""What every process needs: settings, the log, garbage collection."""
