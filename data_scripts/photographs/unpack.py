"""Read the members of .tar, .tar.gz and .zip archives, refusing any that could write elsewhere."""

from __future__ import annotations

import gzip
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from t2v.errors import FileError

_BROKEN = (
    EOFError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


@contextmanager
def _damage_reported(archive: Path) -> Iterator[None]:
    """Errors of a damaged archive as `FileError`."""
    try:
        yield
    except _BROKEN as error:
        raise FileError(f"{archive}: truncated or no archive ({error}); fetch it again") from error


def members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield name and open stream of every regular file, in the archive's order.

    The names are safe: relative, without `..`, backslash or drive. A stream must be read before
    the next one is asked for.

    Raises:
        FileError: if the file is no archive or truncated, or a member has an unsafe name or is a
            link or a device.
    """
    with _damage_reported(archive):
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as box:
                for info in box.infolist():
                    kind = info.external_attr >> 16 & 0o170000
                    if kind not in (0, 0o100000, 0o040000):
                        raise FileError(f"{archive}: member {info.filename!r} is a link; refused")
                    name = _safe(archive, info.filename)
                    if not info.is_dir():
                        with box.open(info) as stream:
                            yield name, stream
            return
        with tarfile.open(archive) as box:
            for info in box:
                name = _safe(archive, info.name)
                if info.isdir():
                    continue
                if not info.isreg():
                    raise FileError(f"{archive}: member {name!r} is a link or device; refused")
                stream = box.extractfile(info)
                assert stream is not None  # regular files always have one
                yield name, stream


def copy(stream: IO[bytes], path: Path, archive: Path) -> None:
    """Write a member to a new file.

    Args:
        stream: the open member.
        path: the file to be.
        archive: path of the archive, for messages.

    Raises:
        FileError: if the archive is truncated, or holds two files of this name.
    """
    try:
        with path.open("xb") as file, _damage_reported(archive):
            while chunk := stream.read(1 << 18):
                file.write(chunk)
    except FileExistsError:
        raise FileError(f"{archive}: two members would become {path.name}") from None


def read(stream: IO[bytes], archive: Path) -> bytes:
    """The bytes of a member.

    Raises:
        FileError: if the archive is truncated.
    """
    with _damage_reported(archive):
        return stream.read()


def _safe(archive: Path, name: str) -> str:
    """The name of a member, refused if it could be written outside."""
    if (
        name.startswith("/")
        or "\\" in name
        or "\0" in name
        or re.match(r"[A-Za-z]:", name)
        or ".." in name.split("/")
    ):
        raise FileError(f"{archive}: member {name!r} would be written outside; archive refused")
    return name.removeprefix("./")
