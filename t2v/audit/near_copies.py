"""Images that show almost the same: saved again, resized, brightened, or cut at the border."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import dctn
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

SIDE = 32  # of the images that are compared, pixels
FREQUENCIES = 8  # in each direction, of the cosine transform that finds candidates (Zauner 2010)
CANDIDATE, SIMILAR = 0.92, 0.94  # correlations, of low frequencies in grey and of all pixels
BLOCK = 1000


def near_copies(images: Tensor | Sequence[Tensor]) -> list[tuple[int, int, float]]:
    """Pairs of images that are almost the same.

    Candidates are pairs whose low frequencies in grey correlate (a perceptual hash, unrounded);
    pairs whose colours at 32 x 32 pixels correlate as well are kept.

    Args:
        images: N uint8 images `[3, h, w]`.

    Returns:
        Positions i < j and the correlation, by falling correlation. Flat images are in no pair.
    """
    small = np.stack([_small(images[i]) for i in range(len(images))])
    grey = dctn(small.mean(1), axes=(1, 2), norm="ortho")[:, :FREQUENCIES, :FREQUENCIES]
    low = _unit(grey.reshape(len(small), -1)[:, 1:])
    pixels = _unit(small.reshape(len(small), -1) - small.mean((1, 2, 3))[:, None])
    pairs = []
    for start in range(0, len(low), BLOCK):
        block = low[start : start + BLOCK]
        rows, columns = np.nonzero(block @ low[start:].T > CANDIDATE)
        rows, columns = rows[columns > rows], columns[columns > rows]
        for part in np.array_split(np.arange(len(rows)), len(rows) // 10_000 + 1):
            a, b = start + rows[part], start + columns[part]
            alike = np.einsum("np,np->n", pixels[a], pixels[b])
            pairs += [
                (int(i), int(j), float(r))
                for i, j, r in zip(a, b, alike, strict=True)
                if r > SIMILAR
            ]
    return sorted(pairs, key=lambda pair: (-round(pair[2], 6), pair[:2]))


def _small(image: Tensor) -> NDArray[np.float32]:
    return adaptive_avg_pool2d(image.to(torch.float32), SIDE).numpy()


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(norms > 1e-3, vectors / np.maximum(norms, 1e-3), 0).astype(np.float32)
