"""The benchmark: tasks, where their rows come from, and what counts as relevant."""
