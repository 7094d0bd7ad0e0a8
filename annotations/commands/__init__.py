"""The commands of `python -m annotations`."""
