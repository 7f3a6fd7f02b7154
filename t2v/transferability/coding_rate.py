"""TransRate: the bits that knowing the classes saves in a code of the features."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from t2v.errors import InputError
from t2v.transferability.registry import Array, register


@register(
    "TransRate",
    needs="features",
    min_per_class=2,
    citation="Huang et al., ICML 2022, arXiv 2106.09362",
)
def transrate(
    features: ArrayLike,
    labels: ArrayLike,
    *,
    eps: float = 1e-4,
    scaled: bool = True,
    centred_classes: bool = False,
) -> float:
    """Coding rate of the features less that within classes, in nats; never negative.

    ``R(F) − Σ_c n_c/N R(F_c)`` with ``R(F) = 1/2 log det(I + FᵀF/(N eps))`` and F centred once,
    over all images (Huang et al. 2022). Classes count by their images; some public code weighs them
    equally, which is the same for balanced classes. The order of experts can change with eps: look
    at several, and choose none by the result. Classes are not centred again, so the score is 0 for
    two balanced classes that mirror each other, however far apart; `centred_classes` mends that.

    Args:
        features: `[N, D]`.
        labels: `[N]`, class of each image; two or more of each.
        eps: squared precision of the code, positive.
        scaled: whether the features are divided so that their variances sum to 1, which makes one
            `eps` the same for all experts; `False`: as published.
        centred_classes: whether each class is centred; `False`: as published.

    Raises:
        InputError: arrays that cannot be used, or `eps` not positive.
    """
    if not eps > 0:
        raise InputError(f"eps: {eps}, expected a positive number")
    f, y = np.asarray(features), np.asarray(labels)
    f = f - f.mean(0)
    if scaled:
        f = f / np.sqrt((f**2).sum() / len(f))
    groups = [f[y == c] for c in range(y.max() + 1)]
    if centred_classes:
        groups = [group - group.mean(0) for group in groups]
    within = sum(len(group) * _rate(group, eps) for group in groups) / len(f)
    return _rate(f, eps) - within


def _rate(features: Array, eps: float) -> float:
    singular = np.linalg.svd(features, compute_uv=False)
    return float(np.log1p(singular**2 / (len(features) * eps)).sum()) / 2
