"""The head: class-balanced multinomial logistic regression on features, fitted to convergence."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from t2v.errors import InputError

WEIGHT_DECAYS = tuple(10.0 ** np.arange(1, -4.5, -1))
FOLDS = 3


@dataclass(frozen=True, eq=False)
class Head:
    """A linear classifier on features.

    Attributes:
        weight: float32 `[K, D]`.
        bias: float32 `[K]`.
        gradient_norm: Euclidean norm of the objective's gradient where the solver stopped.
        weight_decay: the λ it was fitted with, in units of standardised features.
    """

    weight: Tensor
    bias: Tensor
    gradient_norm: float
    weight_decay: float

    def logits(self, features: Tensor) -> Tensor:
        """`[N, D]` to `[N, K]`."""
        return features @ self.weight.to(features).T + self.bias.to(features)

    def error(self, features: Tensor, labels: Tensor) -> float:
        """Class-balanced error rate in [0, 1]: the mean over classes of the share mistaken."""
        wrong = self.logits(features).argmax(1) != labels
        classes = labels.unique()
        return float(sum(wrong[labels == k].double().mean() for k in classes) / len(classes))


def fit_head(
    features: Tensor,
    labels: Tensor,
    *,
    num_classes: int | None = None,
    weight_decay: float | str = "auto",
    seed: int = 0,
    name: str = "features",
) -> Head:
    """Fits softmax(W z + b) to labels, every class weighing the same.

    The objective is the class-balanced mean cross entropy plus λ/2 ‖W‖², over features
    standardised to mean 0 and variance 1, so that λ means the same for every probe; the solution is
    given for the features as they came. The paper trains by Adam for a fixed number of epochs
    (Supp. C.1, C.2); to convergence, the head depends on nothing but the data.

    Args:
        features: `[N, D]`.
        labels: `[N]` in `0..K-1`.
        num_classes: K; default: the largest label + 1.
        weight_decay: λ, or "auto": the one of `WEIGHT_DECAYS` with the least class-balanced
            cross entropy under cross-validation. The head is then as sure as held-out images
            warrant, which is what makes the norms of different tasks comparable.
        seed: of the folds.
        name: the task's, for errors.

    Raises:
        InputError: one class, an empty class, fewer images than classes, constant or non-finite
            features.
    """
    x, y, num_classes = _checked(features, labels, num_classes, name)
    mean, std = x.mean(0), x.std(0)
    std = np.where(std > 1e-12 * np.abs(x).max(), std, np.inf)  # a constant feature gets weight 0
    z = (x - mean) / std
    decay = _cross_validated(z, y, seed) if weight_decay == "auto" else float(weight_decay)
    if not decay > 0:
        raise InputError(f"task {name!r}: weight_decay must be positive; got {weight_decay}")
    weight, bias = _fit(z, y, decay)
    gradient_norm = _gradient_norm(z, y, decay, weight, bias)
    weight = weight / std
    return Head(
        weight=torch.tensor(weight, dtype=torch.float32),
        bias=torch.tensor(bias - weight @ mean, dtype=torch.float32),
        gradient_norm=gradient_norm,
        weight_decay=decay,
    )


def _checked(
    features: Tensor, labels: Tensor, num_classes: int | None, name: str
) -> tuple[np.ndarray, np.ndarray, int]:
    x = np.asarray(features.cpu(), dtype=np.float64)
    y = np.asarray(labels.cpu())
    if x.ndim != 2 or len(x) != len(y):
        raise InputError(
            f"task {name!r}: features must be [N, D] with N labels; got {x.shape} and {len(y)}"
        )
    num_classes = num_classes or int(y.max(initial=-1)) + 1
    if num_classes < 2:
        raise InputError(f"task {name!r}: at least two classes are needed; got {num_classes}")
    if len(x) < num_classes:
        raise InputError(f"task {name!r}: fewer images ({len(x)}) than classes ({num_classes})")
    empty = np.flatnonzero(np.bincount(y, minlength=num_classes) == 0)
    if len(empty):
        raise InputError(f"task {name!r}: class {empty[0]} has no training image")
    if not np.isfinite(x).all():
        raise InputError(f"task {name!r}: features are not finite: look at images and weights")
    if not (x.std(0) > 1e-12 * np.abs(x).max()).any():
        raise InputError(f"task {name!r}: all images have the same features: are they all alike?")
    return x, y, num_classes


def _image_weights(y: np.ndarray) -> np.ndarray:
    """Of sum N, so that every class weighs the same."""
    counts = np.bincount(y)
    return len(y) / ((counts > 0).sum() * counts[y])


def _fit(z: np.ndarray, y: np.ndarray, decay: float) -> tuple[np.ndarray, np.ndarray]:
    # of two classes sklearn keeps w, the difference of the logits: ‖W‖² = w²/2
    two = y.max() == 1
    penalty = decay / 2 if two else decay
    model = LogisticRegression(C=1 / (penalty * len(y)), tol=1e-5, max_iter=3000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the gradient's norm is reported
        model.fit(z, y, sample_weight=_image_weights(y))
    weight, bias = model.coef_, model.intercept_
    if two:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return weight, bias


def _log_softmax(z: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    logits = z @ weight.T + bias
    logits -= logits.max(1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def _gradient_norm(
    z: np.ndarray, y: np.ndarray, decay: float, weight: np.ndarray, bias: np.ndarray
) -> float:
    residual = np.exp(_log_softmax(z, weight, bias)) - np.eye(len(weight))[y]
    residual *= _image_weights(y)[:, None] / len(y)
    of_weight, of_bias = residual.T @ z + decay * weight, residual.sum(0)
    return float(np.sqrt(np.square(of_weight).sum() + np.square(of_bias).sum()))


def _cross_validated(z: np.ndarray, y: np.ndarray, seed: int) -> float:
    """The weight decay with the least class-balanced cross entropy on images left out."""
    folds = min(FOLDS, int(np.bincount(y).min()))
    if folds < 2:  # a class of one image cannot be left out: the strongest prior
        return WEIGHT_DECAYS[0]
    losses = np.zeros(len(WEIGHT_DECAYS))
    split = StratifiedKFold(folds, shuffle=True, random_state=seed).split(z, y)
    for train, left_out in split:
        for i, decay in enumerate(WEIGHT_DECAYS):
            log_p = _log_softmax(z[left_out], *_fit(z[train], y[train], decay))
            of_label = log_p[np.arange(len(left_out)), y[left_out]]
            losses[i] -= np.average(of_label, weights=_image_weights(y[left_out]))
    return WEIGHT_DECAYS[int(losses.argmin())]
