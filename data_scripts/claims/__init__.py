"""The paper's claims, measured on worlds of given seeds."""
