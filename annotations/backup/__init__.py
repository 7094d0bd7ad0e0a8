"""Snapshots, restoring and pushing elsewhere."""
