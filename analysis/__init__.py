"""What telemetry means: laps, tracks, pace, faults and coaching. NumPy in, NumPy out."""
