"""Everything that a consumer asks of Kafka: clients, metadata, offsets, commits, and the watch for stalls."""
