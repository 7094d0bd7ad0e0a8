"""The quality audit: a sample, its estimate, its report."""
