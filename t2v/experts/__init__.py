"""Experts: networks fine-tuned on tasks, their features, errors, and folders on disk."""
