"""Compare embedding models on the Vietnamese Context Search benchmark (VCS)."""
