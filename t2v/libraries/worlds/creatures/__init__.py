"""Creatures: how they evolve, what they look like, where they are photographed."""
