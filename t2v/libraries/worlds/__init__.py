"""Tasks on worlds that are drawn: creatures that evolved, garments by attribute."""
