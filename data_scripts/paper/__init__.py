"""Read numbers from the paper's figures."""
