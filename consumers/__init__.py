"""Ingest: job events from Kafka into the store."""
