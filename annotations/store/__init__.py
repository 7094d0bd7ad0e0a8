"""The label store: recording answers, and reading the labels."""
