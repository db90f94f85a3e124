"""The lake as a notebook asks for it: ``slipstream.open()``."""
