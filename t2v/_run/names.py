"""Names as they can be written into files and shown on a line."""

from __future__ import annotations

import os
import unicodedata

_BIDIRECTIONAL = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def writable(name: str) -> str:
    r"""A name from the file system in valid Unicode; bytes that are none are spelt (`\xe9`)."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return os.fsencode(name).decode("utf-8", "backslashreplace")
    return name


def one_line(text: str) -> str:
    r"""A text in which what would move the cursor or the reading order is spelt (`\n`, `\x1b`)."""
    return "".join(_spelt(c) if _moves(c) else c for c in writable(text))


def _moves(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Zl", "Zp") or character in _BIDIRECTIONAL


def _spelt(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
