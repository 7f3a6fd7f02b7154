"""SIFT with Fisher vectors: how images were described before networks, as one more black box."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import Tensor

from t2v.errors import InputError
from t2v.experts.expert import Expert
from t2v.task import ImageSource

DIRECTIONS, MODES = 32, 16
"""Numbers of principal directions of the descriptors, and of Gaussians in their mixture."""


@dataclass(frozen=True, eq=False)
class SiftFisher:
    """Feature extractor of improved Fisher vectors of SIFT descriptors (Perronnin et al. 2010).

    Attributes:
        image_size: side in pixels to which images are resized and cropped.
        mean: mean of the descriptors, `[128]`.
        directions: their principal directions, `[32, 128]`.
        mixture: Gaussian mixture, of sklearn, of the projected descriptors.
    """

    image_size: int
    mean: np.ndarray
    directions: np.ndarray
    mixture: Any
    name = "SIFT + Fisher vector"

    @classmethod
    def learnt(cls, images: Tensor, image_size: int, seed: int = 0) -> SiftFisher:
        """The extractor whose mixture is fitted to the descriptors of some images.

        Args:
            images: uint8 `[N, 3, h, w]`.
            image_size: side in pixels.
            seed: seed of the fit.

        Raises:
            InputError: if too few points are found in the images.
        """
        from sklearn.decomposition import PCA
        from sklearn.mixture import GaussianMixture

        described = np.concatenate([_descriptors(image, image_size) for image in images])
        if len(described) < 4 * DIRECTIONS:
            raise InputError(
                f"images: {len(described)} points found in {len(images)} images, expected "
                f"{4 * DIRECTIONS} or more: give more images"
            )
        pca = PCA(DIRECTIONS, random_state=seed).fit(described)
        mixture = GaussianMixture(MODES, covariance_type="diag", reg_covar=1e-3, random_state=seed)
        mixture.fit(pca.transform(described))
        return cls(image_size, pca.mean_, pca.components_, mixture)

    @property
    def sha256(self) -> str:
        """Checksum of all that was learnt and the version of scikit-image."""
        digest = hashlib.sha256(f"{self.image_size} {version('scikit-image')}".encode())
        of_mixture = (self.mixture.weights_, self.mixture.means_, self.mixture.covariances_)
        for array in (self.mean, self.directions, *of_mixture):
            digest.update(np.ascontiguousarray(array, dtype=np.float64).data)
        return digest.hexdigest()

    def features(self, images: Tensor | ImageSource) -> Tensor:
        """Features of images; zeros where no point is found.

        Args:
            images: uint8 `[N, 3, h, w]`, or a source of N images uint8 `[3, h, w]`.

        Returns:
            float32 `[N, 1040]`.
        """
        from skimage.feature import fisher_vector

        rows = np.zeros((len(images), MODES * (2 * DIRECTIONS + 1)), dtype=np.float32)
        for i in range(len(images)):
            described = _descriptors(images[i], self.image_size)
            if len(described):
                projected = (described - self.mean) @ self.directions.T
                rows[i] = fisher_vector(projected, self.mixture, improved=True)
        return torch.from_numpy(rows)


def sift_expert(images: Tensor, image_size: int, seed: int = 0) -> Expert:
    """SIFT with Fisher vectors as a black box (slide 15 of the talk).

    Args:
        images: uint8 `[N, 3, h, w]`, of no task, to which the mixture is fitted.
        image_size: side of the images in pixels.
        seed: seed of the fit.
    """
    return Expert("SIFT", SiftFisher.learnt(images, image_size, seed))


def _descriptors(image: Tensor, size: int) -> np.ndarray:
    """SIFT descriptors of an image, `[P, 128]`, of length 1."""
    from skimage.feature import SIFT
    from torchvision.transforms.v2 import functional as tv

    if tuple(image.shape[-2:]) != (size, size):
        image = tv.center_crop(tv.resize(image, [size], antialias=True), [size, size])
    sift = SIFT()
    try:
        sift.detect_and_extract(image.float().mean(0).numpy() / 255)
    except RuntimeError:  # no point is found
        return np.zeros((0, 128))
    described = sift.descriptors.astype(np.float64)
    return described / np.maximum(np.linalg.norm(described, axis=1, keepdims=True), 1e-9)
