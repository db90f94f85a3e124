"""Model code, one folder a model, without Spark; MLflow only in ``ml.tracking`` and ``ml.served``."""
