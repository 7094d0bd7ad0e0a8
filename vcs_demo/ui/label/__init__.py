"""The room Label: judge, adjudicate, audit, mine and export."""
