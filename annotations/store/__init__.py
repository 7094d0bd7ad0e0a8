"""The label store: what is recorded and what stands."""
