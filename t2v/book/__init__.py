"""What the chapters of the book share: figures, tables, the paper's numbers, meta-tasks."""
