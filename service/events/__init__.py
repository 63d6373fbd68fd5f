"""From the bytes of a Kafka record to a job event, and which of two events is later."""
