"""Garments: their attributes, cloth and images."""
