"""Linear classifiers of one task on the features of many experts, solved in one batch.

Objective and solver are those of `t2v.head.fit_head` with a fixed weight decay.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from t2v._numerics.newton_logistic import TOLERANCE, standardise
from t2v.errors import InputError

WEIGHT_DECAY = 0.02  # smallest error of the generic expert on world 0, used for no claim


@dataclass(frozen=True, eq=False)
class Classifiers:
    """C linear classifiers, each on its own features.

    Attributes:
        weight: float64 `[C, K, D]`, for features that are not standardised.
        bias: float64 `[C, K]`.
        gradient_norm: `[C]`, Euclidean norm of the objective's gradient at the solution.
    """

    weight: Tensor
    bias: Tensor
    gradient_norm: Tensor

    def errors(self, features: Tensor, labels: Tensor) -> Tensor:
        """Class-balanced error rates, rounded to 12 decimals.

        Args:
            features: `[C, N, D]`, float.
            labels: `[N]` in `0..K-1`.

        Returns:
            float64 `[C]` in [0, 1].
        """
        return balanced_errors(self.mistakes(features, labels), labels)

    def mistakes(self, features: Tensor, labels: Tensor) -> Tensor:
        """Which images are misclassified, bool `[C, N]`; parameters as of `errors`."""
        logits = features.double() @ self.weight.mT + self.bias[:, None]
        return logits.argmax(2) != labels.to(logits.device)


def balanced_errors(mistakes: Tensor, labels: Tensor) -> Tensor:
    """Mean over classes of the share of mistakes, float64 `[C]`, rounded to 12 decimals.

    Without rounding, the last digit of a mean over classes depends on their order, and equal
    numbers of mistakes would be different errors.

    Args:
        mistakes: bool `[C, N]`, of C classifiers.
        labels: `[N]`.
    """
    by_class = torch.stack([mistakes[:, labels == k].double().mean(1) for k in labels.unique()])
    return by_class.mean(0).round(decimals=12)


def fit_classifiers(
    features: Tensor,
    labels: Tensor,
    *,
    num_classes: int,
    weight_decay: float = WEIGHT_DECAY,
    tolerance: float = TOLERANCE,
) -> Classifiers:
    """Classifiers fitted to C sets of features, computed on the features' device.

    The objective is the class-balanced mean cross entropy plus λ/2 ‖W‖², over features centred and
    divided by one root mean square per set. A solution does not depend on the rest of the batch.

    Args:
        features: `[C, N, D]`, float.
        labels: `[N]` in `0..K-1`, the same for all sets.
        num_classes: K.
        weight_decay: λ, for features of root mean square 1.
        tolerance: largest norm of the gradient at a solution, for features of root mean square 1.

    Raises:
        InputError: an empty class, fewer than two classes, or features that are not finite.
    """
    labels = labels.to(features.device).long()
    counts = torch.bincount(labels, minlength=num_classes)
    if num_classes < 2 or len(counts) > num_classes or not counts.all():
        raise InputError(f"labels: each of 2 or more classes needs images; got {counts.tolist()}")
    if not torch.isfinite(features).all():
        raise InputError("features are not finite: look at images and weights")
    problems, basis = standardise(features, labels, num_classes, weight_decay)
    solution, gradient_norm = problems.solve(tolerance)
    return Classifiers(*basis.to_features(solution), gradient_norm)
