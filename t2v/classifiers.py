"""Linear classifiers on cached features: one labelling, many experts, all solved at once.

The objective is that of `t2v.head.fit_head` with a given weight decay. Newton's method with
conjugate gradients suits a batch: every step is a few products of `[C, N, R]` tensors.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from t2v.errors import InputError

WEIGHT_DECAY = 0.02  # least error of the generic expert on world 0, which no claim is made on
_NEWTON_STEPS = 60
_CONJUGATE_STEPS = 300


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
        """Class-balanced error rates `[C]` in [0, 1] of features `[C, N, D]` with labels `[N]`."""
        logits = features.double() @ self.weight.mT + self.bias[:, None]
        wrong = (logits.argmax(2) != labels.to(logits.device)).double()
        return torch.stack([wrong[:, labels == k].mean(1) for k in labels.unique()]).mean(0)


def fit_classifiers(
    features: Tensor,
    labels: Tensor,
    *,
    num_classes: int,
    weight_decay: float = WEIGHT_DECAY,
    tolerance: float = 1e-6,
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
    labels = labels.to(features.device)
    counts = torch.bincount(labels, minlength=num_classes)
    if num_classes < 2 or len(counts) > num_classes or not counts.all():
        raise InputError(f"labels: each of 2 or more classes needs images; got {counts.tolist()}")
    if not torch.isfinite(features).all():
        raise InputError("features are not finite: look at images and weights")
    share = 1 / (num_classes * counts[labels].double())  # of each image in the loss; sums to 1
    x = features.double()
    mean, scale = share @ x, x.square().mean((1, 2)).sqrt().clamp_min(1e-300)
    z = (x - mean[:, None]) / scale[:, None, None]
    z, axes, spread = _principal(z, share)
    ones = torch.ones_like(z[..., :1])
    problem = _Problem(
        z=torch.cat([z, ones], 2),
        share=share[:, None],
        target=torch.nn.functional.one_hot(labels, num_classes).double(),
        decay=torch.cat([torch.full_like(spread, weight_decay), ones[:, 0]], 1)[..., None],
        spread=torch.cat([spread, ones[:, 0]], 1)[..., None],
    )
    problem.decay[:, -1] = 0  # of the bias
    solution, gradient_norm = problem.solve(tolerance)
    weight = (axes @ solution[:, :-1]).mT / scale[:, None, None]
    return Classifiers(weight, solution[:, -1] - (weight @ mean[..., None])[..., 0], gradient_norm)


def _principal(z: Tensor, share: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Features `[C, N, R]` in principal axes `[C, D, R]`, where the curvature is nearly diagonal.

    The axes are orthonormal, so the penalty stays what it is; the third is the variance along each.
    """
    axes = None
    if z.shape[1] < z.shape[2]:  # fewer images than features: nothing outside of their span
        axes = torch.linalg.qr(z.mT).Q
        z = z @ axes
    spread, turn = torch.linalg.eigh(z.mT @ (share[:, None] * z))
    return z @ turn, turn if axes is None else axes @ turn, spread.clamp_min(0)


@dataclass
class _Problem:
    """C problems in principal axes, the bias as last axis; parameters are `[C, R, K]`."""

    z: Tensor
    share: Tensor
    target: Tensor
    decay: Tensor
    spread: Tensor

    def __getitem__(self, index: Tensor) -> _Problem:
        z, decay, spread = self.z[index], self.decay[index], self.spread[index]
        return _Problem(z, self.share, self.target, decay, spread)

    def value(self, at: Tensor) -> Tensor:
        fit = (self.share * self.target * (self.z @ at).log_softmax(2)).sum((1, 2))
        return (self.decay * at.square()).sum((1, 2)) / 2 - fit

    def gradient(self, at: Tensor) -> tuple[Tensor, Tensor]:
        p = (self.z @ at).softmax(2)
        return self.z.mT @ (self.share * (p - self.target)) + self.decay * at, p

    def solve(self, tolerance: float) -> tuple[Tensor, Tensor]:
        at = self.z.new_zeros(len(self.z), self.z.shape[2], self.target.shape[1])
        norm, left, part = at[:, 0, 0].clone(), torch.arange(len(at), device=at.device), self
        for _ in range(_NEWTON_STEPS):
            here = at[left]
            gradient, p = part.gradient(here)
            norm[left] = gradient.norm(dim=(1, 2))
            going = norm[left] > tolerance
            if not going.all():
                left, part = left[going], part[going]
                here, gradient, p = here[going], gradient[going], p[going]
            if not len(left):
                break
            at[left] = here + part.step(here, gradient, part.newton(gradient, p))
        return at, norm

    def newton(self, gradient: Tensor, p: Tensor) -> Tensor:
        """Solves Hessian · direction = −gradient, more exactly the nearer the end is."""
        doubt = (self.share * p * (1 - p)).sum((1, 2), keepdim=True) / p.shape[2]
        inverse = 1 / (doubt.clamp_min(1e-12) * self.spread + self.decay)
        size = _dot(gradient, gradient).sqrt()
        enough = size * size.sqrt().clamp_max(0.1)
        direction, residual = torch.zeros_like(gradient), -gradient
        conjugate = inverse * residual
        product = _dot(residual, conjugate)
        going = torch.ones_like(product, dtype=torch.bool)
        for _ in range(_CONJUGATE_STEPS):
            moved = self.z @ conjugate
            moved = self.share * p * (moved - (p * moved).sum(2, keepdim=True))
            curved = self.z.mT @ moved + self.decay * conjugate
            length = torch.where(going, product / _dot(conjugate, curved), 0)
            direction, residual = direction + length * conjugate, residual - length * curved
            going = going & (_dot(residual, residual).sqrt() > enough)
            if not going.any():
                break
            scaled = inverse * residual
            before, product = product, torch.where(going, _dot(residual, scaled), product)
            conjugate = torch.where(going, scaled + product / before * conjugate, conjugate)
        return direction

    def step(self, here: Tensor, gradient: Tensor, direction: Tensor) -> Tensor:
        """The direction, halved for each problem until its objective falls enough (Armijo)."""
        before, slope = self.value(here), _dot(gradient, direction)[:, 0, 0]
        length = torch.ones_like(before)
        for _ in range(30):
            after = self.value(here + length[:, None, None] * direction)
            short = after > before + 1e-4 * length * slope + 1e-14 * before.abs()
            if not short.any():
                break
            length = torch.where(short, length / 2, length)
        return length[:, None, None] * direction


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((1, 2), keepdim=True)
