"""Scripts that fetch and prepare data; run from the repository's root, never imported by `t2v`."""
