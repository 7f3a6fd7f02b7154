"""Garments: attributes, shapes, cloth."""
