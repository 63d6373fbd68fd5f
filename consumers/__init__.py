"""The consumer process: it reads job events from Kafka, and writes them to the store in Redis."""
