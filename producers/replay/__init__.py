"""Replays published telemetry, timing, results and weather files into Kafka."""
