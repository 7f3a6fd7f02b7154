"""Image files in memory, and a report of those that cannot be used.

What is converted and what is skipped:

* grey, CMYK, palette and other colour modes are converted to RGB; transparent pixels are laid on
  white; an animation gives its first frame; the orientation that a camera wrote into the file is
  applied, and metadata that cannot be parsed is ignored;
* grey of 16 bits is scaled by the bits that the images use: 12, if no image has a value above 4095;
* a JPEG of more than `PIXEL_LIMIT` pixels is decoded at a reduced scale;
* missing, empty, corrupt and truncated files, files that are no images, floats outside [0, 1], and
  other images of more than `PIXEL_LIMIT` pixels are skipped, counted and named in one warning;
* more than one skipped image, and more than one in a hundred, is an error: then the folder, not an
  image, is at fault.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from t2v._run.progress import bar
from t2v.errors import InputError
from t2v.reading.decode import PIXEL_LIMIT as PIXEL_LIMIT
from t2v.reading.decode import Decoded, decode, eight_bits

DARK = 32
"""Where all values of all images are below, of 255, the images are called black."""
_BITS = (8, 10, 12, 14, 16)


@dataclass(frozen=True)
class Skipped:
    """An image that was left out: its position in the list of paths, its path, and the reason."""

    index: int
    path: str
    reason: str


def load_images(
    paths: Sequence[str | Path],
    size: int | None,
    *,
    tolerance: float = 0.01,
    threads: int | None = None,
    progress: bool = False,
) -> tuple[torch.Tensor | list[torch.Tensor], list[Skipped]]:
    """Decode images into memory, in the order of their paths, without those that cannot be used.

    Args:
        paths: N image files.
        size: side in pixels (shorter side resized, bilinear and antialiased; centre crop); `None`:
            the files' own sizes.
        tolerance: largest share of unusable images, in [0, 1]; above 0, one is always tolerated.
        threads: number of decoding threads; default: one per core, at most eight.
        progress: whether to show a progress bar.

    Returns:
        The images, uint8 `[M, 3, size, size]` (a list of `[3, h, w]` if their sizes differ), and
        the N - M skipped ones.

    Warns:
        UserWarning: naming the skipped images, and what was not taken as it is.

    Raises:
        InputError: no path, a bad `size`, or more than `tolerance` of the images unusable.
    """
    if not len(paths):
        raise InputError("load_images: no image given")
    if size is not None and size < 1:
        raise InputError(f"load_images: size must be at least 1 pixel or None, got {size}")
    threads = threads or min(8, os.cpu_count() or 1)
    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
        # of Pillow, on metadata and large images: they name no file, and the pixels are whole
        warnings.simplefilter("ignore")
        decoded = pool.map(lambda path: decode(path, size), paths)
        results = list(bar(decoded, "reading images", len(paths), progress))
    skipped = [
        Skipped(i, str(path), result)
        for i, (path, result) in enumerate(zip(paths, results, strict=True))
        if isinstance(result, str)
    ]
    _report(skipped, len(paths), tolerance)
    taken = {str(p): r for p, r in zip(paths, results, strict=True) if isinstance(r, Decoded)}
    bits = _bits([d.peak for d in taken.values() if d.pixels.dtype == np.uint16])
    _remarks(taken)
    images = [
        torch.from_numpy(eight_bits(r.pixels, bits) if r.pixels.dtype == np.uint16 else r.pixels)
        for r in results
        if isinstance(r, Decoded)
    ]
    brightest = max(int(image.max()) for image in images)
    if brightest < DARK:
        warnings.warn(
            f"all values of all {len(images)} images are {brightest} or less, of 255: they are "
            "black, or labels, or hold fewer bits than their files; convert them first",
            stacklevel=2,
        )
    if len({image.shape for image in images}) == 1:
        return torch.stack(images), skipped
    return images, skipped


def _bits(peaks: list[int]) -> int:
    """The number of bits that grey images use, which have room for 16."""
    bits = next(b for b in _BITS if max(peaks, default=0) < 2**b)
    if peaks and bits < 16:
        warnings.warn(
            f"{len(peaks)} grey images of 16 bits hold no value above {max(peaks)}: read as "
            f"{bits} bits",
            stacklevel=3,
        )
    return bits


def _remarks(taken: dict[str, Decoded]) -> None:
    first: dict[str, str] = {}
    for path, image in taken.items():
        first.setdefault(image.remark, path)
    for remark, path in first.items():
        if remark:
            count = sum(image.remark == remark for image in taken.values())
            warnings.warn(f"{count} images: {remark} (the first: {path})", stacklevel=3)


def _report(skipped: list[Skipped], total: int, tolerance: float) -> None:
    if not skipped:
        return
    reasons = "; ".join(f"{s.path}: {s.reason}" for s in skipped[:5])
    more = f"; and {len(skipped) - 5} more" if len(skipped) > 5 else ""
    summary = f"{len(skipped)} of {total} images cannot be used ({reasons}{more})"
    if len(skipped) == total:
        raise InputError(f"{summary}: there is no other")
    if len(skipped) > (max(1, tolerance * total) if tolerance else 0):
        raise InputError(
            f"{summary}: more than {tolerance:.0%}; mend or remove these files, or leave them out "
            "by --skip-bad (skip_bad=True)"
        )
    warnings.warn(f"{summary}; they are left out", stacklevel=3)
