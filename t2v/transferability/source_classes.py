"""LEEP and NCE: how well the classes of an expert's own head predict those of the task.

Both need the expert's head. They say nothing about an expert without one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from t2v.transferability.registry import Array, Labels, one_hot, parts, register


@register(
    "LEEP",
    needs="source_probabilities",
    citation="Nguyen et al., ICML 2020, arXiv 2002.12462",
)
def leep(
    source_probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    folds: int | None = None,
    seed: int = 0,
) -> float:
    """Log expected empirical prediction, in nats per image; at most 0.

    ``1/N Σ_i log Σ_z P(y_i|z) θ(x_i)_z``, where θ(x) are the probabilities of the expert's own
    classes z, and P(y|z) is proportional to the sum of θ(x)_z over the images of class y (Nguyen et
    al. 2020). It is the log-likelihood of the labels after one step of the EM algorithm for P(y|z)
    from the class frequencies, so it lies between minus the entropy of the labels and the best
    log-likelihood of any table P(y|z).

    Args:
        source_probabilities: `[N, Z]`, the head's softmax: rows sum to one.
        labels: `[N]`, class of each image.
        folds: number of folds of the cross-fitted form, in which P(y|z) comes from other images,
            with one more image of average class in each z; `None`: as published.
        seed: seed of the folds.

    Raises:
        InputError: arrays that cannot be used, logits among them.

    Example:
        >>> leep([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]], ["cat", "cat", "dog", "dog"])
        -0.198...
    """
    theta, y = np.asarray(source_probabilities), np.asarray(labels)
    return mean_log_prediction(theta, y, folds, seed)


@register(
    "NCE",
    needs="source_probabilities",
    citation="Tran, Nguyen and Hassner, ICCV 2019, arXiv 1908.08142",
)
def nce(
    source_probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    folds: int | None = None,
    seed: int = 0,
) -> float:
    """Negative conditional entropy −H(Y|Z) of the labels given the head's class, in nats.

    Z is the most probable class of the expert's own head (Tran et al. 2019). It equals
    LEEP of the one-hot probabilities. The entropy of the counts is biased towards 0 where classes
    z have few images each; the cross-fitted form is not.

    Args:
        source_probabilities: `[N, Z]`, the head's softmax: rows sum to one.
        labels: `[N]`, class of each image.
        folds: number of folds of the cross-fitted form; `None`: as published.
        seed: seed of the folds.

    Raises:
        InputError: arrays that cannot be used.
    """
    theta, y = np.asarray(source_probabilities), np.asarray(labels)
    hard = np.zeros_like(theta)
    hard[np.arange(len(theta)), theta.argmax(1)] = 1
    return mean_log_prediction(hard, y, folds, seed)


def mean_log_prediction(theta: Array, labels: Labels, folds: int | None, seed: int) -> float:
    """Mean log-probability of the labels under P(y|z), from all images or from other folds."""
    if folds is None:
        return float(np.log(predicted(theta, labels, theta, labels, extra=0)).mean())
    logs = np.empty(len(labels))
    for fit, held_out in parts(labels, folds, seed):
        args = theta[fit], labels[fit], theta[held_out], labels[held_out]
        logs[held_out] = np.log(predicted(*args, extra=1))
    return float(logs.mean())


def predicted(
    fit_theta: Array, fit_labels: Labels, theta: Array, labels: Labels, extra: float
) -> Array:
    """Probability of each label under P(y|z) from the first two arrays.

    Args:
        fit_theta: `[N, Z]`, probabilities that P(y|z) comes from.
        fit_labels: `[N]`, their labels.
        theta: `[M, Z]`, probabilities of the images to predict.
        labels: `[M]`, their labels.
        extra: images of average class that are added to each z: with 0 a label never seen with z
            has probability 0.
    """
    indicators = one_hot(fit_labels)
    counts = indicators.T @ fit_theta + extra * indicators.mean(0)[:, None]
    mass = counts.sum(0)
    conditional = np.divide(counts, mass, out=np.zeros_like(counts), where=mass > 0)
    return np.einsum("nz,nz->n", conditional[labels], theta)
