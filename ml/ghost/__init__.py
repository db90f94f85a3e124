"""Ghost laps: windows of laps, networks that learn to drive them, and how good they are. Without Spark or MLflow."""
