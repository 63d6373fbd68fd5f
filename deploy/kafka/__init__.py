"""Runs Apache Kafka from its jars, for tests."""
