"""What a car showed that it can do: the acceleration envelope of its laps."""
