"""Samples of different rates on one time axis: held values, windows, buckets, spans."""
