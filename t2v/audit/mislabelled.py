"""Images whose label a classifier doubts that was trained on the others (confident learning)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from t2v._numerics.group_splits import group_folds
from t2v.head import balanced_error, fit_head

FOLDS = 5


@dataclass(frozen=True, eq=False)
class Doubts:
    """Labels that a cross-validated head doubts.

    Attributes:
        probabilities: `[N, K]`, of the classes of each image, from heads trained without it.
        suspects: positions of images whose label is doubted, the most doubtful first.
        suggested: `[N]`, the class that is the likeliest of those that pass their own threshold;
            the label where none does.
        error: class-balanced error of the heads, in [0, 1].
    """

    probabilities: NDArray[np.float64]
    suspects: tuple[int, ...]
    suggested: NDArray[np.int64]
    error: float


def doubtful_labels(
    features: Tensor, labels: Tensor, groups: NDArray[np.int64], seed: int, name: str
) -> Doubts:
    """Labels that do not fit the images, by the head of Task2Vec, cross-validated.

    An image is suspect if a class other than its label is at least as likely as it is, on average,
    for the images of that class (Northcutt, Jiang & Chuang 2021), and likelier than the label.
    The order is that of the ratio of the two probabilities.

    Args:
        features: `[N, D]`.
        labels: `[N]` in `0..K-1`.
        groups: `[N]`, equal for images that belong together, such as copies: they are in one fold.
        seed: seed of the folds.
        name: name of the task in errors.

    Raises:
        InputError: if all images of a class are of one group, or for the reasons of `fit_head`.
    """
    fold = group_folds(labels.numpy(), groups, FOLDS, seed, name)
    count = int(labels.max()) + 1
    logits = torch.zeros(len(labels), count)
    for number in np.unique(fold):
        test = torch.from_numpy(fold == number)
        head = fit_head(features[~test], labels[~test], num_classes=count, name=name)
        logits[test] = head.logits(features[test])
    p = logits.double().softmax(1).numpy()
    given = labels.numpy()
    threshold = np.array([p[given == k, k].mean() for k in range(count)])
    confident = np.where(p >= threshold, p, 0.0)
    suggested = np.where(confident.any(1), confident.argmax(1), given)
    rows = np.arange(len(given))
    with np.errstate(divide="ignore"):
        ratio = np.log(p[rows, suggested]) - np.log(p[rows, given])
    suspects = np.flatnonzero((suggested != given) & (ratio > 0))
    order = suspects[np.argsort(-ratio[suspects], kind="stable")]
    return Doubts(p, tuple(order.tolist()), suggested, balanced_error(logits.argmax(1), labels))
