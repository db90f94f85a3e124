"""The peer of row 11: from Kafka to the last gold table in one Python process.

confluent-kafka consumes, Polars parses, gates and reads back, ``deltalake`` writes, and the figures come from the same
pure functions as ours. See "What the comparisons leave out" in the README for what it does not do.
"""
