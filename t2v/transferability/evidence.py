"""LogME: the evidence of a Bayesian linear regression of the class indicators on the features."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from t2v.transferability.principal import decomposed
from t2v.transferability.registry import Array, one_hot, register

# log of (noise over prior variance), per largest eigenvalue. Where features reproduce an indicator
# exactly the evidence has no upper bound: the lower end keeps it finite, above rounding
_LOG_RATIOS = np.linspace(np.log(1e-12), np.log(1e12), 97)


@register("LogME", needs="features", citation="You et al., ICML 2021, arXiv 2102.11005")
def logme(features: ArrayLike, labels: ArrayLike, *, centred: bool = False) -> float:
    """Logarithm of maximum evidence, in nats per image: a log density, which may be positive.

    ``1/(C N) Σ_c max_{α, β} log N(y_c; 0, I/β + F Fᵀ/α)`` for the indicators y_c of the classes
    (You et al. 2021). In it α has the power of the rank of F, at most min(N, D); with D in its
    place, as in the authors' code, the value for N < D measures mostly D. The maximum is found, not
    approached by a fixed number of steps, so that the scale of the features does not matter.

    Args:
        features: `[N, D]`.
        labels: `[N]`, class of each image.
        centred: whether features and indicators are centred, the evidence being that of the N − 1
            contrasts; `False`: as published, without an intercept.

    Raises:
        InputError: arrays that cannot be used.
    """
    f, targets = np.asarray(features), one_hot(np.asarray(labels))
    n = len(f)
    if centred:
        f, targets, n = f - f.mean(0), targets - targets.mean(0), n - 1
    basis, singular, _ = decomposed(f)
    share = (basis.T @ targets) ** 2
    rest = np.maximum((targets**2).sum(0) - share.sum(0), 0)
    spectrum = (singular / singular[0]) ** 2
    return float(
        np.mean([_evidence(spectrum, s, r, n) for s, r in zip(share.T, rest, strict=True)])
    )


def _evidence(spectrum: Array, share: Array, rest: float, n: int) -> float:
    """Greatest log evidence per image of one target.

    Args:
        spectrum: `[k]`, eigenvalues of F Fᵀ, the largest is 1.
        share: `[k]`, squared coordinates of the target along the eigenvectors.
        rest: squared length of the target outside their span.
        n: number of images.
    """

    def loss(log_ratio: Array | float) -> Array:
        # for a given ratio the best beta is known: n over the weighted square sum
        variance = 1 + spectrum * np.exp(-np.asarray(log_ratio))[..., None]
        square = rest + (share / variance).sum(-1)
        return n / 2 * np.log(square / n) + np.log(variance).sum(-1) / 2

    best = int(loss(_LOG_RATIOS).argmin())
    bounds = _LOG_RATIOS[max(best - 1, 0)], _LOG_RATIOS[min(best + 1, len(_LOG_RATIOS) - 1)]
    refined = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-9})
    least = min(float(refined.fun), float(loss(_LOG_RATIOS[best])))
    return -least / n - (1 + np.log(2 * np.pi)) / 2
