"""Settings, contracts, channels, tracks and vehicles: the data everything else rests on, and its loaders."""
