"""Code that is kept with a registered model and that MLflow runs when it loads one; nothing else imports it."""
