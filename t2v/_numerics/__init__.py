"""Numerical methods that the modules above are built on; nothing here knows of tasks."""
