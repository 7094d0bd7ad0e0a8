"""Rankers: BM25, embedding models, cross-encoders and their fusions."""
