"""Track: MLflow runs."""
