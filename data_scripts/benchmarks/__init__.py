"""Time and memory, run by hand."""
