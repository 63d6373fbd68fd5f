"""The statistics service: the domain, the store's layout, and the HTTP API."""
