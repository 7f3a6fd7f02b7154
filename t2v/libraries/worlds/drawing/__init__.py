"""Shapes and textures, the means by which the worlds are drawn."""
