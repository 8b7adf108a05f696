"""Reading the lake: documents rebuilt from their edits, and counts that must close."""
