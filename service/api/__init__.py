"""The HTTP API: routes, middleware, errors, and what it measures."""
