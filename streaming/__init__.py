"""Streaming jobs: Kafka to bronze, bronze to silver, silver to gold."""
