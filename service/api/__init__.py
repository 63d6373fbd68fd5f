"""The HTTP API: the server, its routes and handlers, errors, and metrics of its requests."""
