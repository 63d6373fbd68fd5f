"""Runs the local stack: broker, Redis, consumer, API and sample traffic as processes of one machine."""
