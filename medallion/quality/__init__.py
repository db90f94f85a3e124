"""The gate between bronze and silver: one rule registry, compiled to row filters and to an expectation suite."""
