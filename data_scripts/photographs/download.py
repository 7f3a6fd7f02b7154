"""A downloader for pooch that resumes after a lost connection.

pooch checks, names and moves files, but starts every attempt at the first byte.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pooch
import requests
from rich.progress import Progress

from t2v.errors import FileError

_CHUNK = 1 << 18


class Resuming:
    """A download to `part`, resumed by HTTP ranges; pooch then checks and renames the result.

    The server's mark of the version (ETag, else Last-Modified) is stored beside `part`, so that the
    halves of two versions are never joined; where the server gives no mark, a resumed file is only
    trusted if its checksum is known.

    Args:
        part: file for the bytes so far; it outlives a lost connection, not a full disk.
        checked: whether the caller will compare a checksum.
        progress: running progress display, or None.
        attempts: largest number of connections in a row that bring no bytes.
        pause: seconds before the second attempt, doubled at each further one.
        timeout: seconds without a byte after which a connection counts as lost.
    """

    def __init__(
        self,
        part: Path,
        *,
        checked: bool,
        progress: Progress | None = None,
        attempts: int = 5,
        pause: float = 1.0,
        timeout: float = 30.0,
    ) -> None:
        self.part = Path(part)
        self.mark = self.part.with_name(self.part.name + ".version")
        self.checked, self.progress = checked, progress
        self.attempts, self.pause, self.timeout = attempts, pause, timeout

    def __call__(self, url: str, output_file: str, pooch: object, check_only: bool = False) -> None:
        """Download `url` to `output_file`, which appears whole or not at all; pooch calls this.

        Raises:
            FileError: if the server refuses, the connection stays lost, or the disk is full.
        """
        bar = self.progress and self.progress.add_task(Path(self.part).stem, total=None)
        failures, pause = 0, self.pause
        while True:
            before = self._size()
            try:
                if self._attempt(url, bar):
                    break
                problem = "the connection was cut"
            except requests.RequestException as error:
                problem = f"{type(error).__name__}"
            except FileError:
                raise
            except OSError as error:
                self.discard()
                raise FileError(f"{self.part}: {error.strerror}; nothing was kept") from error
            failures = 1 if self._size() > before else failures + 1
            if failures >= self.attempts:
                raise FileError(
                    f"{url}: {problem} after {self._size():,} bytes; "
                    "run the same command again to go on from there"
                )
            time.sleep(pause if failures > 1 else self.pause)
            pause *= 2
        os.replace(self.part, output_file)
        self.discard()

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def discard(self) -> None:
        """Remove the bytes so far."""
        self.part.unlink(missing_ok=True)
        self.mark.unlink(missing_ok=True)

    def _attempt(self, url: str, bar: object) -> bool:
        """Fetch what is missing; True when the file is whole."""
        have = self._size()
        mark = self.mark.read_text() if self.mark.exists() else ""
        headers = {"Accept-Encoding": "identity"}
        if have and (mark or self.checked):
            headers["Range"] = f"bytes={have}-"
            if mark:
                headers["If-Range"] = mark
        with requests.get(url, stream=True, headers=headers, timeout=self.timeout) as answer:
            if answer.status_code == 416:  # nothing is left to send, or not the file we began
                total = answer.headers.get("Content-Range", "").rpartition("/")[2]
                if total == str(have):
                    return True
                self.discard()
                return False
            if 400 <= answer.status_code < 500:
                raise FileError(f"{url}: the server answers {answer.status_code} {answer.reason}")
            answer.raise_for_status()
            resumed = answer.status_code == 206
            if resumed and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                self.discard()
                return False
            if not resumed:
                have = 0
            length = answer.headers.get("Content-Length")
            total = None if length is None else have + int(length)
            # weak marks (W/...) are not allowed in If-Range
            mark = answer.headers.get("ETag", "")
            mark = "" if mark.startswith("W/") else mark or answer.headers.get("Last-Modified", "")
            self.mark.write_text(mark)
            with self.part.open("ab" if resumed else "wb") as file:
                for chunk in answer.iter_content(_CHUNK):
                    file.write(chunk)
                    if bar is not None:
                        self.progress.update(bar, total=total, completed=file.tell())
        return total is None or self._size() == total


def bring(
    url: str,
    folder: Path,
    file: str,
    known: str | None,
    progress: Progress | None = None,
    **options,
) -> Path:
    """Download a file by pooch, unless it is there with the right checksum.

    Args:
        url: address of the file.
        folder: folder to download to.
        file: name of the file there.
        known: checksum as `md5:...` or `sha256:...`, or None.
        progress: running progress display, if any.
        options: options of `Resuming`.

    Raises:
        FileError: if the checksum differs (nothing is kept), or as `Resuming`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pooch.get_logger().setLevel("WARNING")  # the caller shows what goes on
    get = Resuming(folder / f"{file}.part", checked=known is not None, progress=progress, **options)
    try:
        return Path(pooch.retrieve(url, known_hash=known, fname=file, path=folder, downloader=get))
    except ValueError as error:  # how pooch reports a hash that does not match
        raise FileError(f"{url}: {' '.join(str(error).split())}") from error
