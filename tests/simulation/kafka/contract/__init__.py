"""Runs the same cases on the model of Kafka and on Apache Kafka, so that the model stays true."""
