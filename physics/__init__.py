"""Vehicle dynamics, heat, wear and limit laps: NumPy in, NumPy out."""
