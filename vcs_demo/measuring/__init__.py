"""Metrics, kept runs, comparisons and the leaderboard."""
