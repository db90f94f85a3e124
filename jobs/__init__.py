"""Jobs that train and apply models: Spark in, MLflow and gold out."""
