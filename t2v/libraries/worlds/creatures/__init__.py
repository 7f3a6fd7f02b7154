"""Creatures: their evolution, bodies, habitats and images."""
