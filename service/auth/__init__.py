"""Authenticates requests: finds the caller behind a token, from a signed JWT or by asking Keystone."""
