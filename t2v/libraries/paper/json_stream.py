"""Large JSON files read record by record, in memory that does not grow with the file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from t2v.errors import FileError

BLOCK = 2**20  # characters read at a time
_SPACE = re.compile(r"[\s,]*")
_ENDS = tuple(" \t\r\n,]}:")


def records(path: str | Path) -> Iterator[tuple[str, Any]]:
    """Every element of the lists in a JSON object, with the list's key, in the file's order.

    Values that are no lists are passed over; a file that is one list gives its elements with the
    key "".

    Args:
        path: a JSON file.

    Raises:
        FileError: if the file is missing, is no JSON, or ends in the middle.
    """
    try:
        with open(path, encoding="utf-8") as file:
            yield from _Reader(file).records()
    except FileNotFoundError:
        raise FileError(f"{path}: no such file") from None
    except ValueError as error:  # of json, and of the decoding of UTF-8
        raise FileError(f"{path}: damaged, or no JSON ({error}); copy it again") from None


class _Reader:
    """A window on the text that moves on with what has been read."""

    def __init__(self, file: IO[str]) -> None:
        self.file, self.text, self.at = file, "", 0
        self.decoder = json.JSONDecoder()

    def records(self) -> Iterator[tuple[str, Any]]:
        if self.next_character() == "[":
            yield from (("", element) for element in self.elements())
            return
        self.skip("{")
        while self.next_character() != "}":
            key = self.value()
            self.skip(":")
            if self.next_character() == "[":
                yield from ((key, element) for element in self.elements())
            else:
                self.value()

    def elements(self) -> Iterator[Any]:
        self.skip("[")
        while self.next_character() != "]":
            yield self.value()
        self.skip("]")

    def value(self) -> Any:
        """The next value; more is read until it is whole."""
        self.next_character()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.at)
                # a number at the end of the window may go on beyond it: 1 or 1.5 of 1.5e-3
                if self.text[end : end + 1] in _ENDS or not self.more():
                    self.at = end
                    return value
            except json.JSONDecodeError:
                if not self.more():
                    raise

    def skip(self, character: str) -> None:
        if self.next_character() != character:
            raise ValueError(f"{character!r} expected, found {self.text[self.at : self.at + 20]!r}")
        self.at += 1

    def next_character(self) -> str:
        """The next character that is neither white space nor a comma; it is not passed."""
        while True:
            match = _SPACE.match(self.text, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                raise ValueError("it ends too early")

    def more(self) -> bool:
        block = self.file.read(BLOCK)
        self.text, self.at = self.text[self.at :] + block, 0
        return bool(block)
