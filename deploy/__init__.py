"""What runs the processes: the local stack, its traffic, and Apache Kafka for tests."""
