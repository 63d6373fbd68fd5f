"""What the HTTP servers of both processes share: connections, errors in both languages, answers, and metrics."""
