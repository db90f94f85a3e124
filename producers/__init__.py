"""What sends telemetry to Kafka."""
