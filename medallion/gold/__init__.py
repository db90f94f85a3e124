"""Gold: features, made whole again where silver changed."""
