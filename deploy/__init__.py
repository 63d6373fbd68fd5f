"""Starts processes: the local stack, its sample traffic, and Apache Kafka for tests."""
