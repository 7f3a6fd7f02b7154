"""The head: class-balanced multinomial logistic regression, of the same size for every task."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import brentq
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from t2v.errors import InputError

SIZE = 2.0  # of every head, per class; chosen on world 0, see the chapter on distances
WEIGHT_DECAYS = (1e-5, 1e2)  # where the weight decay that gives this size is sought


@dataclass(frozen=True, eq=False)
class Head:
    """A linear classifier on features.

    Attributes:
        weight: float32 `[K, D]`.
        bias: float32 `[K]`.
        gradient_norm: Euclidean norm of the objective's gradient where the solver stopped.
        weight_decay: the λ it was fitted with, in units of features of root mean square 1.
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
    name: str = "features",
) -> Head:
    """Fits softmax(W z + b) to labels, every class weighing the same.

    The objective is the class-balanced mean cross entropy plus λ/2 ‖W‖², over features centred and
    divided by their root mean square (one number for all of them, so that λ means the same for
    every probe); the solution is given for the features as they came. The paper trains by Adam for
    a fixed number of epochs (Supp. C.1, C.2); to convergence, the head depends on the data alone.

    The Fisher grows with the square of the head's weights. With one λ for all tasks, an easy task
    gets large weights, and the embedding's norm tells the size of the head as much as how hard the
    task is. So by default the size is the same for all tasks: λ is the one for which ‖W‖² is
    `SIZE` squared times K − 1, and what is left in the norm is how unsure the classifier is, and
    where.

    Args:
        features: `[N, D]`.
        labels: `[N]` in `0..K-1`.
        num_classes: K; default: the largest label + 1.
        weight_decay: λ, or "auto" for heads of one size (to 1%; where no λ in `WEIGHT_DECAYS`
            gives it, the nearest end).
        name: the task's, for errors.

    Raises:
        InputError: one class, an empty class, fewer images than classes, constant or non-finite
            features.
    """
    x, y, num_classes = _checked(features, labels, num_classes, name)
    mean, scale = x.mean(0), np.sqrt(np.square(x).mean())
    z = (x - mean) / scale
    if weight_decay == "auto":
        decay = _decay_of_size(z, y, SIZE * np.sqrt(num_classes - 1))
    else:
        decay = float(weight_decay)
    if not decay > 0:
        raise InputError(f"task {name!r}: weight_decay must be positive; got {weight_decay}")
    weight, bias = _fit(z, y, decay)
    gradient_norm = _gradient_norm(z, y, decay, weight, bias)
    weight = weight / scale
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


def _decay_of_size(z: np.ndarray, y: np.ndarray, size: float) -> float:
    """The weight decay for which ‖W‖ is `size`: the norm falls as the decay grows."""

    def excess(log_decay: float) -> float:
        return float(np.linalg.norm(_fit(z, y, np.exp(log_decay))[0])) - size

    low, high = np.log(WEIGHT_DECAYS)
    if excess(low) <= 0:
        return WEIGHT_DECAYS[0]
    if excess(high) >= 0:
        return WEIGHT_DECAYS[1]
    # ‖W‖ falls at most like 1/λ, so 1% in λ is at most 1% in ‖W‖
    return float(np.exp(brentq(excess, low, high, xtol=0.01)))
