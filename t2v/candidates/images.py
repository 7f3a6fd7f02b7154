"""Images with an identity, by which what is computed from them is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image, ImageOps
from torch import Tensor

from t2v import images as image_files
from t2v.images import Skipped
from t2v.reading.decode import decode, eight_bits


class Images(Protocol):
    """N images, opened one by one."""

    @property
    def ids(self) -> Sequence[str]:
        """Identity of each image: equal for equal images."""
        ...

    def open(self, index: int) -> Image.Image | str:
        """An image in RGB, or the reason why it cannot be used."""
        ...


class FileImages:
    """Images in files; their identity is path, size and time of the last change.

    Args:
        paths: N files.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)
        self.ids = [_file_id(path) for path in self.paths]

    def open(self, index: int) -> Image.Image | str:
        """An image in its own size, or the reason why it cannot be used."""
        # the one decoder of the package, with its rules for colours, orientation and broken files
        found = decode(self.paths[index], None)
        if isinstance(found, str):
            return found
        pixels = found.pixels
        if pixels.dtype == np.uint16:  # grey; no other image is looked at, so 12 bits or 16
            pixels = eight_bits(pixels, 12 if found.peak < 2**12 else 16)
        return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))

    def report(self, reasons: dict[int, str], tolerance: float = 0.01) -> None:
        """Name what cannot be used: a warning, or an `InputError` beyond `tolerance` of the files.

        Args:
            reasons: reason by index.
            tolerance: largest share of unusable images, in [0, 1].
        """
        skipped = [Skipped(i, str(self.paths[i]), why) for i, why in sorted(reasons.items())]
        image_files._report(skipped, len(self.paths), tolerance)


class TensorImages:
    """Images in memory; their identity are their values.

    Args:
        images: uint8 `[N, 3, h, w]`.
    """

    def __init__(self, images: Tensor) -> None:
        self.images = images.numpy()
        self.ids = [
            hashlib.sha256(repr(i.shape).encode() + np.ascontiguousarray(i).data).hexdigest()[:32]
            for i in self.images
        ]

    def open(self, index: int) -> Image.Image | str:
        """An image in its own size."""
        return Image.fromarray(np.ascontiguousarray(self.images[index].transpose(1, 2, 0)))


def fitted(image: Image.Image, side: int, bicubic: bool) -> Image.Image:
    """The image as a square: its shorter side resized to `side`, then a centre crop.

    Args:
        image: image in RGB.
        side: pixels.
        bicubic: bicubic, not bilinear interpolation.
    """
    if image.size == (side, side):
        return image
    method = Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
    return ImageOps.fit(image, (side, side), method)


def _file_id(path: Path) -> str:
    try:
        status = path.stat()
        known = (str(path.resolve()), status.st_size, status.st_mtime_ns)
    except OSError:  # it is reported when it is opened
        known = (str(path), -1, -1)
    return hashlib.sha256(repr(known).encode()).hexdigest()[:32]
