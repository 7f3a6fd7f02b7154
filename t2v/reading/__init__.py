"""Folders and tables of images, from disk to pixels: what is taken, and what is passed over."""
