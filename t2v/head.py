"""The head: class-balanced multinomial logistic regression, of the same size for every task."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from scipy.optimize import brentq
from torch import Tensor

from t2v._numerics.newton_logistic import TOLERANCE, Problems, standardise
from t2v.errors import InputError

SIZE = 2.0  # of every head, per class; chosen on world 0, see the chapter on distances
WEIGHT_DECAYS = (1e-5, 1e2)  # where the weight decay that gives this size is sought
START, STEP = 0.02, 2.0  # where that search begins, and its strides in log λ


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
        weight_decay: λ, or "auto" for heads of one size (to .1%; where no λ in `WEIGHT_DECAYS`
            gives it, the nearest end).
        name: the task's, for errors.

    Raises:
        InputError: one class, an empty class, labels beyond the classes, fewer images than classes,
            constant or non-finite features.
    """
    x, y, num_classes = _checked(features, labels, num_classes, name)
    if weight_decay != "auto" and not float(weight_decay) > 0:
        raise InputError(f"task {name!r}: weight_decay must be positive; got {weight_decay}")
    decay = START if weight_decay == "auto" else float(weight_decay)
    problem, basis = standardise(x[None], y, num_classes, decay)
    if weight_decay == "auto":
        problem, solution, gradient_norm = _of_size(problem, SIZE * (num_classes - 1) ** 0.5)
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


def _of_size(problem: Problems, size: float) -> tuple[Problems, Tensor, Tensor]:
    """The problem with the weight decay for which ‖W‖ is `size`, its solution, its gradient's norm.

    ‖W‖ falls as the decay grows. The search begins where the given problem's decay is, and each
    solution is the start of the next.
    """
    solution: Tensor | None = None

    def excess(log_decay: float) -> float:
        nonlocal problem, solution, gradient_norm
        problem = replace(problem, weight_decay=math.exp(log_decay))
        # a gradient of g leaves at most g / λ in W
        tolerance = min(TOLERANCE, 1e-4 * problem.weight_decay * size)
        solution, gradient_norm = problem.solve(tolerance, solution)
        return math.log(max(float(solution[:, :-1].norm()), 1e-300) / size)

    gradient_norm = torch.zeros(1)
    ends = [math.log(end) for end in WEIGHT_DECAYS]
    here = math.log(problem.weight_decay)
    known = {here: excess(here)}
    sign = math.copysign(1, known[here])  # too long: a larger decay
    while True:
        there = min(max(here + sign * STEP, ends[0]), ends[1])
        known[there] = excess(there)
        if sign * known[there] <= 0:
            break
        if there in ends:
            return problem, solution, gradient_norm
        here = there
    # ‖W‖ falls at most like 1/λ, so .1% in λ is at most .1% in ‖W‖
    found = brentq(lambda x: known[x] if x in known else excess(x), here, there, xtol=1e-3)
    excess(found)  # which leaves problem and solution there
    return problem, solution, gradient_norm
