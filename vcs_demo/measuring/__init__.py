"""Metrics, stored runs, comparisons and the leaderboard."""
