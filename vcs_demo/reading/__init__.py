"""Files that people bring, whatever editor, shell, spreadsheet or library wrote them: the one place that reads them."""
