"""What is measured of one network on labelled images, and kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from t2v.candidates.kept import Measured
from t2v.transferability import held_out_predictions, leep, logme

EVIDENCE = 1000  # images for LogME, which needs no more and costs the cube of it


def evaluated(key: tuple, argument: tuple[Measured, int, NDArray]) -> dict[str, Any]:
    """Predictions and scores of one network, for `cached_call`.

    Args:
        key: what identifies them; last come number of folds, seed, whether scores are wanted, and
            the version of the code.
        argument: features of N images, position of the network, and labels `[N]` in 0..K-1.

    Returns:
        `linear` and `neighbours`, the predicted class of each image by a classifier that has not
        seen it; `leep` and `logme`, NaN where there is none.
    """
    *_, folds, seed, evidence, _ = key
    measured, m, y = argument
    features, probabilities = measured.read(m)
    options = {"folds": folds, "seed": seed}
    found: dict[str, Any] = {
        "linear": held_out_predictions(features, y, **options),
        "neighbours": held_out_predictions(features, y, classifier="neighbours", **options),
        "leep": np.nan,
        "logme": np.nan,
    }
    if evidence and len(y) >= 2 * (y.max() + 1):
        some = evenly(y, EVIDENCE, seed)
        found["logme"] = logme(features[some], y[some], centred=True)
        if probabilities is not None:
            found["leep"] = leep(probabilities, y)
    return found


def evenly(labels: NDArray, count: int, seed: int) -> NDArray[np.intp]:
    """Positions of at most `count` images, drawn as evenly over the classes as they allow."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    rank = np.empty(len(labels), dtype=np.intp)
    for k in np.unique(labels):
        of_class = np.flatnonzero(labels[shuffled] == k)
        rank[of_class] = np.arange(len(of_class))
    return np.sort(shuffled[np.argsort(rank, kind="stable")[:count]])
