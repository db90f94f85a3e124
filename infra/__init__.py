"""The local stack: Java, jars, a Kafka broker, an MLflow server and a Spark cluster on one machine, without Docker."""
