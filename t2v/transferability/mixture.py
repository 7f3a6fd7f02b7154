"""N-LEEP: LEEP with the components of a Gaussian mixture in place of source classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from t2v.errors import InputError
from t2v.transferability.registry import Array, parts, register
from t2v.transferability.source_classes import mean_log_prediction, predicted


@register(
    "N-LEEP",
    needs="features",
    min_n=lambda dimensions, classes: 10 * classes,
    random=True,
    citation="Li et al., CVPR 2021, arXiv 2011.11200",
)
def n_leep(
    features: ArrayLike,
    labels: ArrayLike,
    *,
    components: int | None = None,
    energy: float = 0.8,
    folds: int | None = None,
    seed: int = 0,
) -> float:
    """LEEP of a Gaussian mixture's posteriors on the principal components, in nats per image.

    Li et al. 2021. No head is needed. With a mixture component for every few images the
    posteriors are nearly one-hot, and the score nears 0 whatever the features: at most one
    component per ten images is taken, and the cross-fitted form is free of it.

    Args:
        features: `[N, D]`.
        labels: `[N]`, class of each image.
        components: number of components of the mixture; `None`: five for each class, at most a
            tenth of the images that it is fitted to.
        energy: share of the variance that the principal components keep, in (0, 1).
        folds: number of folds of the cross-fitted form: mixture and P(y|component) come from other
            images; `None`: as published.
        seed: seed of the mixture's start and of the folds.

    Raises:
        InputError: arrays or options that cannot be used.
    """
    f, y = np.asarray(features), np.asarray(labels)
    if not 0 < energy < 1:
        raise InputError(f"energy: {energy}, expected a share between 0 and 1")
    classes = int(y.max()) + 1

    def posteriors(train: Array, test: Array) -> Array:
        count = components or min(5 * classes, max(len(train) // 10, 1))
        if not 1 <= count <= len(train):
            raise InputError(f"components: {count}, expected 1 to {len(train)}")
        pca = PCA(energy, svd_solver="full").fit(train)
        scale = np.sqrt(pca.explained_variance_.mean())  # the mixture's own floor is absolute
        mixture = GaussianMixture(count, random_state=seed).fit(pca.transform(train) / scale)
        return mixture.predict_proba(pca.transform(test) / scale)

    if folds is None:
        return mean_log_prediction(posteriors(f, f), y, None, seed)
    logs = np.empty(len(y))
    for fit, held_out in parts(y, folds, seed):
        theta = posteriors(f[fit], f)
        logs[held_out] = np.log(
            predicted(theta[fit], y[fit], theta[held_out], y[held_out], extra=1)
        )
    return float(logs.mean())
