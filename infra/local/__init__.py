"""The local stack: broker, MLflow server, jars and processes."""
