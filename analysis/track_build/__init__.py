"""Build a track from telemetry."""
