"""The two errors `t2v` raises on purpose: one line with what is wrong, where, and what to do."""

from __future__ import annotations


class InputError(ValueError):
    """An argument, task or embedding that cannot be used as it is."""


class FileError(OSError):
    """A file that is missing, truncated, foreign or does not match its checksum."""
