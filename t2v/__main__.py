"""`python -m t2v` is the command `t2v`."""

from t2v.cli import main

main()
