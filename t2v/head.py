"""The head: class-balanced multinomial logistic regression with a fixed weight norm."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from scipy.optimize import brentq
from torch import Tensor

from t2v._numerics.newton_logistic import TOLERANCE, Problems, standardise
from t2v.errors import InputError

WEIGHT_NORM = 2.0  # target of ‖W‖/√(K-1); the chapter on distances says how it was chosen
WEIGHT_DECAYS = (1e-5, 1e2)  # range of the search for the λ that gives this norm
FIRST_DECAY, STEP = 0.02, 2.0  # start of that search, and its step in log λ


@dataclass(frozen=True, eq=False)
class Head:
    """A linear classifier on features.

    Attributes:
        weight: float32 `[K, D]`.
        bias: float32 `[K]`.
        gradient_norm: Euclidean norm of the objective's gradient at the solution.
        weight_decay: λ of the fit, for features of root mean square 1.
    """

    weight: Tensor
    bias: Tensor
    gradient_norm: float
    weight_decay: float

    def logits(self, features: Tensor) -> Tensor:
        """Features `[N, D]` to logits `[N, K]`."""
        return features @ self.weight.to(features).T + self.bias.to(features)

    def error(self, features: Tensor, labels: Tensor) -> float:
        """Class-balanced error rate in [0, 1]: the mean over classes of each one's error rate."""
        return balanced_error(self.logits(features).argmax(1), labels)


def balanced_error(guesses: Tensor, labels: Tensor) -> float:
    """The mean over classes of the share of guesses `[N]` that differ from the labels `[N]`."""
    wrong, classes = guesses != labels, labels.unique()
    return float(sum(wrong[labels == k].double().mean() for k in classes) / len(classes))


def fit_head(
    features: Tensor,
    labels: Tensor,
    *,
    num_classes: int | None = None,
    weight_decay: float | str = "auto",
    name: str = "features",
) -> Head:
    """Fit softmax(W z + b) to labels, with equal weight for every class.

    The objective is the class-balanced mean cross entropy plus λ/2 ‖W‖², over features that are
    centred and divided by their root mean square (one number for all, so that λ means the same for
    every probe); the solution is converted back to the features as given. The paper trains by Adam
    for a fixed number of epochs (Supp. C.1, C.2); at convergence the head depends on the data only.

    The Fisher information grows with the square of the head's weights. With one λ for all tasks an
    easy task gets large weights, and the embedding's norm measures the weights as much as the
    task's difficulty. So by default all tasks get the same weight norm: λ is the one for which ‖W‖²
    is `WEIGHT_NORM` squared times K − 1. What remains in the embedding's norm is how uncertain the
    classifier is.

    Args:
        features: `[N, D]`.
        labels: `[N]` in `0..K-1`.
        num_classes: K; default: the largest label + 1.
        weight_decay: λ, or "auto" for the fixed weight norm (to 0.1%; if no λ in `WEIGHT_DECAYS`
            gives it, the nearer end of that range).
        name: name of the task in errors.

    Raises:
        InputError: one class, an empty class, labels beyond the classes, fewer images than classes,
            constant or non-finite features.

    Examples:
        >>> features, labels = torch.tensor([[-2.0], [-1.0], [1.0], [2.0]]), [0, 0, 1, 1]
        >>> head = fit_head(features, torch.tensor(labels))
        >>> round(float(head.weight.norm() * features.square().mean().sqrt()), 2)
        2.0
        >>> head.error(features, torch.tensor(labels))
        0.0
    """
    x, y, num_classes = _checked(features, labels, num_classes, name)
    if weight_decay != "auto" and not float(weight_decay) > 0:
        raise InputError(f"task {name!r}: weight_decay must be positive; got {weight_decay}")
    decay = FIRST_DECAY if weight_decay == "auto" else float(weight_decay)
    problem, basis = standardise(x[None], y, num_classes, decay)
    if weight_decay == "auto":
        problem, solution, gradient_norm = _of_norm(problem, WEIGHT_NORM * (num_classes - 1) ** 0.5)
    else:
        solution, gradient_norm = problem.solve()
    weight, bias = basis.to_features(solution)
    return Head(weight[0].float(), bias[0].float(), float(gradient_norm), problem.weight_decay)


def _checked(
    features: Tensor, labels: Tensor, num_classes: int | None, name: str
) -> tuple[Tensor, Tensor, int]:
    x, y = features.double().cpu(), labels.long().cpu()
    if x.ndim != 2 or len(x) != len(y):
        raise InputError(
            f"task {name!r}: features must be [N, D] with N labels; got {tuple(x.shape)} and "
            f"{len(y)}"
        )
    num_classes = num_classes or (int(y.max()) if len(y) else -1) + 1
    if num_classes < 2:
        raise InputError(f"task {name!r}: at least two classes are needed; got {num_classes}")
    if len(y) and not 0 <= int(y.min()) <= int(y.max()) < num_classes:
        raise InputError(
            f"task {name!r}: labels must lie in 0..{num_classes - 1}; got {int(y.min())}.."
            f"{int(y.max())}"
        )
    if len(x) < num_classes:
        raise InputError(f"task {name!r}: fewer images ({len(x)}) than classes ({num_classes})")
    counts = torch.bincount(y, minlength=num_classes)
    if not counts.all():
        raise InputError(f"task {name!r}: class {int(counts.argmin())} has no training image")
    if not x.isfinite().all():
        raise InputError(f"task {name!r}: features are not finite: look at images and weights")
    if not (x.std(0) > 1e-12 * x.abs().max()).any():
        raise InputError(f"task {name!r}: all images have the same features: are they all alike?")
    return x, y, num_classes


def _of_norm(problem: Problems, norm: float) -> tuple[Problems, Tensor, Tensor]:
    """The problem with the λ for which ‖W‖ is `norm`, its solution, and its gradient's norm.

    ‖W‖ falls as λ grows. The search starts from the problem's λ, and each solution starts the next.
    """
    solution, gradient_norm = problem.zero, torch.zeros(1)

    def excess(log_decay: float) -> float:
        nonlocal problem, solution, gradient_norm
        problem = replace(problem, weight_decay=math.exp(log_decay))
        # a gradient of g leaves at most g / λ in W
        tolerance = min(TOLERANCE, 1e-4 * problem.weight_decay * norm)
        solution, gradient_norm = problem.solve(tolerance, solution)
        return math.log(max(float(solution[:, :-1].norm()), 1e-300) / norm)

    ends = [math.log(end) for end in WEIGHT_DECAYS]
    near = math.log(problem.weight_decay)
    known = {near: excess(near)}
    sign = math.copysign(1, known[near])  # ‖W‖ too large: a larger λ
    while True:
        far = min(max(near + sign * STEP, ends[0]), ends[1])
        known[far] = excess(far)
        if sign * known[far] <= 0:
            break
        if far in ends:
            return problem, solution, gradient_norm
        near = far
    # ‖W‖ falls at most like 1/λ, so 0.1% in λ is at most 0.1% in ‖W‖
    root = brentq(lambda x: known[x] if x in known else excess(x), near, far, xtol=1e-3)
    excess(root)  # sets problem and solution
    return problem, solution, gradient_norm
