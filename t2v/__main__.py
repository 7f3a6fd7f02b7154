"""`python -m t2v` is the command `t2v`."""

from t2v.cli.app import main

main()
