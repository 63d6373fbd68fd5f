"""What is asked of Kafka, and how."""
