"""Slipstream beside its peers: the same work on the same input in the same run."""
