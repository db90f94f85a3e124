"""Kafka clients: producer and topics."""
