"""Decoding one image file: to RGB, or to the reason why it cannot be used."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.Image import Transpose
from PIL.JpegImagePlugin import JpegImageFile

from t2v.reading.bare import without_metadata

PIXEL_LIMIT = 50_000_000
"""More are not decoded: 50 megapixels are 150 MB, and several images are decoded at a time."""
REDUCED_LIMIT = 1_000_000_000
"""Pixels of a JPEG up to which it is decoded at a half, a quarter or an eighth of its scale."""

# no pixels without further programs (EPS would start Ghostscript), or none that Pillow reads
_NOT_READ = frozenset("BUFR EPS FPX GRIB HDF5 MIC MPEG WMF".split())
_ORIENTATIONS = {  # EXIF 2.32, tag 0x0112: how to turn the stored image
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF", b"crx ": "CR3"}
_large = threading.Lock()  # one very large image at a time


@dataclass(frozen=True)
class Decoded:
    """An image in memory.

    Attributes:
        pixels: uint8 `[3, h, w]`; of grey with more than 8 bits, uint16 `[h, w]`.
        peak: largest value in the file, of grey with more than 8 bits.
        remark: what was not taken as it is, a few words; empty if nothing.
    """

    pixels: np.ndarray
    peak: int = 0
    remark: str = ""


@cache
def formats() -> tuple[str, ...]:
    """Pillow's names of the formats that are read."""
    Image.init()
    named = set(Image.registered_extensions().values())
    return tuple(sorted(f for f in Image.OPEN if f in named and f not in _NOT_READ))


@cache
def suffixes() -> frozenset[str]:
    """Endings, in small letters, of the formats that are read."""
    read = formats()
    return frozenset(s for s, f in Image.registered_extensions().items() if f in read)


def decode(path: str | Path, size: int | None) -> Decoded | str:
    """One image file, or the reason why it cannot be used.

    Args:
        path: the file.
        size: side in pixels (shorter side resized, centre crop); `None`: as it is.
    """
    try:
        if os.path.getsize(path) == 0:
            return "empty file"
        try:
            return _decode(path, path, size)
        except FileNotFoundError:
            raise
        except Exception:  # any type: see below
            bare = without_metadata(path)
            if bare is None:
                raise
            return _decode(BytesIO(bare), path, size)
    except FileNotFoundError:
        return "no such file"
    except UnidentifiedImageError:
        return _unidentified(path)
    except Image.DecompressionBombError:
        return f"more than {PIXEL_LIMIT:,} pixels: make it smaller"
    except _Refused as reason:
        return str(reason)
    except MemoryError:
        raise
    # Pillow's decoders raise a dozen types on broken files (OSError, SyntaxError, struct.error...);
    # the reason is not lost: it is counted and shown
    except Exception as error:
        return f"corrupt ({type(error).__name__}: {error})"


class _Refused(Exception):
    """A whole image that has no place among the others."""


def _decode(source: str | Path | BytesIO, path: str | Path, size: int | None) -> Decoded:
    with _open(source) as file:
        width, height = file.size
        if width * height <= PIXEL_LIMIT:
            return _converted(file, size)
        if size is None or not isinstance(file, JpegImageFile) or width * height > REDUCED_LIMIT:
            raise _Refused(f"{width} x {height} pixels, more than {PIXEL_LIMIT:,}: make it smaller")
        with _large:
            scale = next((s for s in (2, 4) if width * height <= PIXEL_LIMIT * s**2), 8)
            file.draft(None, (max(1, width // scale), max(1, height // scale)))
            return _converted(file, size)


def _open(source: str | Path | BytesIO) -> Image.Image:
    try:
        return Image.open(source, formats=formats())
    except Image.DecompressionBombError:
        # by size alone; a JPEG can be decoded at a reduced scale
        try:
            return JpegImageFile(source)
        except SyntaxError:
            pass
        raise


def _converted(file: Image.Image, size: int | None) -> Decoded:
    remark = _remark(file)
    image = _upright(file)
    if image.mode.startswith("I") or image.mode == "F":
        return _deep(image, size, remark)
    image = _fitted(to_rgb(image), size)
    return Decoded(np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1)), remark=remark)


def _upright(file: Image.Image) -> Image.Image:
    """The image turned as the camera was; as stored, if the file does not say so readably."""
    try:
        method = _ORIENTATIONS.get(file.getexif().get(0x0112, 1))
    except Exception:  # metadata: many types of error, and no pixel depends on it
        method = None
    return file if method is None else file.transpose(method)


def _fitted(image: Image.Image, size: int | None) -> Image.Image:
    if size is None or image.size == (size, size):
        return image
    return ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)


def _deep(image: Image.Image, size: int | None, remark: str) -> Decoded:
    """Grey of more than 8 bits, or floats."""
    values = np.asarray(image)
    low, high = values.min(), values.max()
    if image.mode == "F":
        if not np.isfinite(values).all() or low < 0 or high > 1:
            raise _Refused(
                f"floats from {low:.4g} to {high:.4g}: only 0 to 1 is read; convert to 8 bits"
            )
        grey = np.asarray(_fitted(Image.fromarray(values.astype(np.float32)), size))
        return Decoded(_three(np.rint(255 * grey).clip(0, 255).astype(np.uint8)), remark=remark)
    if low < 0 or high > 65535:
        raise _Refused(f"integers from {low} to {high}: only 0 to 65535 is read; convert to 8 bits")
    grey = np.asarray(_fitted(Image.fromarray(values.astype(np.float32)), size))
    return Decoded(np.rint(grey).astype(np.uint16), int(high), remark)


def eight_bits(deep: np.ndarray, bits: int) -> np.ndarray:
    """Grey of a number of bits, uint16 `[h, w]`, as uint8 `[3, h, w]`."""
    return _three((deep.astype(np.uint32) * 255 // (2**bits - 1)).clip(0, 255).astype(np.uint8))


def _three(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[None], 3, axis=0)


def to_rgb(image: Image.Image) -> Image.Image:
    """An image of at most 8 bits in RGB, transparent pixels on white."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _remark(file: Image.Image) -> str:
    """What of a TIFF is not taken as it is."""
    if file.format != "TIFF":
        return ""
    if getattr(file, "n_frames", 1) > 1:
        return "only the first of several pages is read"
    if file.mode == "RGBA":
        return "a fourth band is taken as transparency"
    samples = file.tag_v2.get(277, 1)  # type: ignore[attr-defined]
    if file.mode == "RGBX" or samples > len(file.getbands()):
        return "bands after the third are left out"
    return ""


def _unidentified(path: str | Path) -> str:
    with open(path, "rb") as file:
        start = file.read(12)
    if start.startswith(_TIFF_STARTS):
        return "a TIFF whose bands, bits or compression Pillow does not read: convert to 8-bit RGB"
    if start[4:8] == b"ftyp" and start[8:12] in _BRANDS:
        return f"{_BRANDS[start[8:12]]}, which Pillow does not read: convert to JPEG or PNG"
    return "not an image"
