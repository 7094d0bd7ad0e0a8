"""The room Compare: search, rerank, leaderboard."""
