"""The HTTP API: its routes and handlers, who may ask, and its description."""
