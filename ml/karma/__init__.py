"""Wear from lap features: models without Spark and without MLflow."""
