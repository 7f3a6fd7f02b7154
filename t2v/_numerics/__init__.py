"""Numerical methods for arrays and networks; nothing in them depends on tasks."""
