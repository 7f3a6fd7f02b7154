"""PNG and JPEG files without their metadata, which may be broken where the pixels are whole."""

from __future__ import annotations

import struct
from pathlib import Path

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS")  # what a PNG needs to be shown
_SCAN, _ADOBE = 0xDA, 0xEE  # markers of a JPEG: start of the pixels; how they are coloured
_LARGEST = 1_000_000_000  # bytes


def without_metadata(path: str | Path) -> bytes | None:
    """The file's bytes with the parts that hold pixels only; `None` for another format."""
    path = Path(path)
    if path.stat().st_size > _LARGEST:
        return None
    data = path.read_bytes()
    if data.startswith(_PNG):
        return _bare_png(data)
    return _bare_jpeg(data) if data.startswith(_JPEG) else None


def _bare_png(data: bytes) -> bytes:
    kept, at = [_PNG], len(_PNG)
    while at + 12 <= len(data):
        end = at + 12 + struct.unpack_from(">I", data, at)[0]
        if data[at + 4 : at + 8] in _PIXELS:
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


def _bare_jpeg(data: bytes) -> bytes:
    kept, at = [_JPEG], len(_JPEG)
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == _SCAN:
            kept.append(data[at:])
            break
        end = at + 2 + struct.unpack_from(">H", data, at + 2)[0]
        application = 0xE0 <= marker <= 0xEF and marker != _ADOBE
        if not application and marker != 0xFE:  # a comment
            kept.append(data[at:end])
        at = end
    return b"".join(kept)
