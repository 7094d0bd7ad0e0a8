"""Retrain an embedding model on what people said of its hard negatives."""
