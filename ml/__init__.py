"""Models without Spark or MLflow, and the jobs that train and apply them."""
