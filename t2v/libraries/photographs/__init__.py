"""Tasks on photographs on disk."""
