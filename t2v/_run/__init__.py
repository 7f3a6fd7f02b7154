"""How work is run: cached, in parallel, with progress, and written to whole files."""
