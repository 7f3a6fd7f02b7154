"""Cells of an error matrix on disk, in SQLite: error by task, expert and version of the code."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from t2v.errors import FileError


class Cells:
    """Store of errors in a SQLite file.

    Args:
        path: the file; made if needed, with its folder.
        code: version of the code that computes the errors; others are not read.

    Raises:
        FileError: if the file is no such store, is in use, or cannot be written.
    """

    def __init__(self, path: Path, code: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.code = code
        try:
            self.connection = sqlite3.connect(path, timeout=60)
        except sqlite3.OperationalError as error:
            raise FileError(f"{path}: cannot be opened ({error})") from None
        try:
            with self.connection:
                self.connection.execute(
                    "CREATE TABLE IF NOT EXISTS cells (code TEXT, task TEXT, expert TEXT, "
                    "error REAL NOT NULL, PRIMARY KEY (code, task, expert)) WITHOUT ROWID"
                )
        except sqlite3.OperationalError as error:
            self.connection.close()
            raise FileError(f"{path}: in use by another run, or not writable ({error})") from None
        except sqlite3.DatabaseError as error:
            self.connection.close()
            raise FileError(f"{path}: not a store of cells ({error}): remove it") from None

    def read(self) -> dict[tuple[str, str], float]:
        """Errors by (task, expert)."""
        rows = self.connection.execute(
            "SELECT task, expert, error FROM cells WHERE code = ?", (self.code,)
        )
        return {(task, expert): error for task, expert, error in rows}

    def write(self, errors: Mapping[tuple[str, str], float]) -> None:
        """Write errors by (task, expert), all or none of them."""
        rows = [(self.code, *key, error) for key, error in errors.items()]
        with self.connection:
            self.connection.executemany("INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Close the file."""
        self.connection.close()
