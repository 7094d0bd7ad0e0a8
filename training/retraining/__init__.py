"""Retraining on labels: from an export to a model directory with its card."""
