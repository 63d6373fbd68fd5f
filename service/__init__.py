"""The statistics service: events and their decoding, the store in Redis, authentication, and the HTTP API."""
