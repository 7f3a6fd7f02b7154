"""The command `t2v`."""
