"""HOG: hand-made image features, without any training."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import torch
from torch import Tensor

from t2v.task import ImageSource


@dataclass(frozen=True)
class Hog:
    """Feature extractor of histograms of oriented gradients (Dalal & Triggs 2005).

    Attributes:
        image_size: side in pixels to which images are resized and cropped (rounded down to a
            multiple of 6); 6 x 6 cells of 9 directions.
    """

    image_size: int
    name = "HOG"

    @property
    def sha256(self) -> str:
        """Checksum of the parameters and the version of scikit-image."""
        return hashlib.sha256(repr((self, version("scikit-image"))).encode()).hexdigest()

    def features(self, images: Tensor | ImageSource) -> Tensor:
        """Features of images.

        Args:
            images: uint8 `[N, 3, h, w]`, or a source of N images uint8 `[3, h, w]`.

        Returns:
            float32 `[N, 900]`.
        """
        from skimage.feature import hog
        from torchvision.transforms.v2 import functional as tv

        size, rows = self.image_size // 6 * 6, []
        for i in range(len(images)):
            image = images[i]
            if tuple(image.shape[-2:]) != (size, size):
                image = tv.center_crop(tv.resize(image, [size], antialias=True), [size, size])
            pixels, cell = image.permute(1, 2, 0).numpy(), (size // 6,) * 2
            rows.append(hog(pixels, 9, cell, cells_per_block=(2, 2), channel_axis=-1))
        return torch.tensor(np.array(rows), dtype=torch.float32)
