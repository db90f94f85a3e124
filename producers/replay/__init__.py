"""Replays published telemetry files into Kafka."""
