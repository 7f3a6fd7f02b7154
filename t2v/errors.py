"""The errors of `t2v`: one line each that says what is wrong, where, and what to do."""

from __future__ import annotations


class InputError(ValueError):
    """An argument, task or embedding that cannot be used."""


class FileError(OSError):
    """A file that is missing, truncated, of another kind, or does not match its checksum."""
