"""Linear classifiers on cached features: one labelling, many experts, all solved at once.

The objective is that of `t2v.head.fit_head` with a given weight decay, the solver too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from t2v._numerics.newton_logistic import TOLERANCE, set_up
from t2v.errors import InputError

WEIGHT_DECAY = 0.02  # least error of the generic expert on world 0, which no claim is made on


@dataclass(frozen=True, eq=False)
class Classifiers:
    """C linear classifiers, each on features of its own.

    Attributes:
        weight: float64 `[C, K, D]`, for the features as they came.
        bias: float64 `[C, K]`.
        gradient_norm: `[C]`, Euclidean norm of the objective's gradient where the solver stopped.
    """

    weight: Tensor
    bias: Tensor
    gradient_norm: Tensor

    def errors(self, features: Tensor, labels: Tensor) -> Tensor:
        """Class-balanced error rates `[C]` in [0, 1] of features `[C, N, D]` with labels `[N]`.

        To 12 decimals: a mean over classes differs in its last digit with their order, and
        the same number of mistakes must be the same error.
        """
        logits = features.double() @ self.weight.mT + self.bias[:, None]
        wrong = (logits.argmax(2) != labels.to(logits.device)).double()
        by_class = torch.stack([wrong[:, labels == k].mean(1) for k in labels.unique()])
        return by_class.mean(0).round(decimals=12)


def fit_classifiers(
    features: Tensor,
    labels: Tensor,
    *,
    num_classes: int,
    weight_decay: float = WEIGHT_DECAY,
    tolerance: float = TOLERANCE,
) -> Classifiers:
    """Fits one classifier to each of C sets of features, where the features are (CPU or GPU).

    Class-balanced mean cross entropy plus λ/2 ‖W‖², over features centred and divided by one root
    mean square per set. A problem's solution does not depend on what else is in the batch.

    Args:
        features: `[C, N, D]`, float.
        labels: `[N]` in `0..K-1`, the same for all sets.
        num_classes: K.
        weight_decay: λ, in units of features of root mean square 1.
        tolerance: on the gradient's norm, in the same units.

    Raises:
        InputError: an empty class, fewer than two classes, or features that are not finite.
    """
    labels = labels.to(features.device).long()
    counts = torch.bincount(labels, minlength=num_classes)
    if num_classes < 2 or len(counts) > num_classes or not counts.all():
        raise InputError(f"labels: each of 2 or more classes needs images; got {counts.tolist()}")
    if not torch.isfinite(features).all():
        raise InputError("features are not finite: look at images and weights")
    problems, axes = set_up(features, labels, num_classes, weight_decay)
    solution, gradient_norm = problems.solve(tolerance)
    return Classifiers(*axes.back(solution), gradient_norm)
