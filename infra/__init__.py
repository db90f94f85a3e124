"""Kafka's clients and topics, and the local stack: Java, jars, broker, MLflow server, Spark cluster."""
