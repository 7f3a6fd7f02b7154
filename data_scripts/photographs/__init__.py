"""Fetch photographs from their publishers and unpack them."""
