"""The room Train: retrain, experiments."""
