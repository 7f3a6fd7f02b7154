"""Claims of the paper, measured on worlds of given seeds."""
