"""Which candidate an annotator is given next, and for how long."""
