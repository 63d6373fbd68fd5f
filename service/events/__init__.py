"""Decodes the bytes of a Kafka record into a job event, and tells which of two events is later."""
