"""Multinomial logistic regression in batches, by Newton's method with conjugate gradients.

Minimised is the mean cross entropy, in which every class weighs the same, plus λ/2 ‖W‖², over
features centred and divided by one root mean square per problem; the bias is free. In principal
axes the curvature is nearly diagonal, so the conjugate gradients are few, and every step is a few
products of `[C, N, R]` tensors. A problem's solution does not depend on what else is in the batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

TOLERANCE = 1e-6  # on the gradient's norm
_NEWTON_STEPS = 60
_CONJUGATE_STEPS = 300


@dataclass(frozen=True, eq=False)
class Axes:
    """Where the problems are solved, and how to come back.

    Attributes:
        turn: `[C, D, R]`, orthonormal, so the penalty stays what it is.
        mean: `[C, D]`, of the features.
        scale: `[C]`, root mean square of the features.
    """

    turn: Tensor
    mean: Tensor
    scale: Tensor

    def back(self, solution: Tensor) -> tuple[Tensor, Tensor]:
        """A solution `[C, R + 1, K]` as weights `[C, K, D]` and biases `[C, K]` of the features."""
        weight = (self.turn @ solution[:, :-1]).mT / self.scale[:, None, None]
        return weight, solution[:, -1] - (weight @ self.mean[..., None])[..., 0]


def set_up(
    features: Tensor, labels: Tensor, num_classes: int, weight_decay: float
) -> tuple[Problems, Axes]:
    """C problems with the same labels.

    Args:
        features: `[C, N, D]`, float.
        labels: `[N]` in `0..K-1`, each class at least once, where the features are.
        num_classes: K.
        weight_decay: λ, in units of features of root mean square 1.
    """
    counts = torch.bincount(labels, minlength=num_classes)
    share = 1 / (num_classes * counts[labels].double())  # of each image in the loss; sums to 1
    x = features.double()
    mean, scale = share @ x, x.square().mean((1, 2)).sqrt().clamp_min(1e-300)
    z = (x - mean[:, None]) / scale[:, None, None]
    z, turn, spread = _principal(z, share)
    ones = torch.ones_like(z[..., :1])
    found = Problems(
        z=torch.cat([z, ones], 2),
        share=share[:, None],
        target=torch.nn.functional.one_hot(labels, num_classes).double(),
        spread=torch.cat([spread, ones[:, 0]], 1)[..., None],
        weight_decay=weight_decay,
    )
    return found, Axes(turn, mean, scale)


def _principal(z: Tensor, share: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Features `[C, N, R]` in principal axes, the axes `[C, D, R]`, and the variance along each."""
    axes = None
    if z.shape[1] < z.shape[2]:  # fewer images than features: nothing outside of their span
        axes = torch.linalg.qr(z.mT).Q
        z = z @ axes
    spread, turn = torch.linalg.eigh(z.mT @ (share[:, None] * z))
    return z @ turn, turn if axes is None else axes @ turn, spread.clamp_min(0)


@dataclass(frozen=True, eq=False)
class Problems:
    """C problems in principal axes, the bias as last axis: parameters are `[C, R + 1, K]`.

    Attributes:
        z: `[C, N, R + 1]`, features and a one.
        share: `[N, 1]`, of each image in the loss; sums to 1.
        target: `[N, K]`, one-hot labels.
        spread: `[C, R + 1, 1]`, variance along each axis.
        weight_decay: λ.
    """

    z: Tensor
    share: Tensor
    target: Tensor
    spread: Tensor
    weight_decay: float

    def __getitem__(self, index: Tensor) -> Problems:
        return replace(self, z=self.z[index], spread=self.spread[index])

    @cached_property
    def _decay(self) -> Tensor:
        decay = self.spread.new_full((self.spread.shape[1], 1), self.weight_decay)
        decay[-1] = 0  # of the bias
        return decay

    def _value(self, at: Tensor) -> Tensor:
        fit = (self.share * self.target * (self.z @ at).log_softmax(2)).sum((1, 2))
        return (self._decay * at.square()).sum((1, 2)) / 2 - fit

    def _gradient(self, at: Tensor) -> tuple[Tensor, Tensor]:
        p = (self.z @ at).softmax(2)
        return self.z.mT @ (self.share * (p - self.target)) + self._decay * at, p

    def solve(
        self, tolerance: float = TOLERANCE, start: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Solutions `[C, R + 1, K]` and their gradients' norms `[C]`; from zero without a start."""
        zero = self.z.new_zeros(len(self.z), self.z.shape[2], self.target.shape[1])
        at = zero if start is None else start.clone()
        norm, left, part = at[:, 0, 0].clone(), torch.arange(len(at), device=at.device), self
        for _ in range(_NEWTON_STEPS):
            here = at[left]
            gradient, p = part._gradient(here)
            norm[left] = gradient.norm(dim=(1, 2))
            going = norm[left] > tolerance
            if not going.all():
                left, part = left[going], part[going]
                here, gradient, p = here[going], gradient[going], p[going]
            if not len(left):
                break
            at[left] = here + part._step(here, gradient, part._newton(gradient, p))
        return at, norm

    def _newton(self, gradient: Tensor, p: Tensor) -> Tensor:
        """Solves Hessian · direction = −gradient, more exactly the nearer the end is."""
        doubt = (self.share * p * (1 - p)).sum((1, 2), keepdim=True) / p.shape[2]
        inverse = 1 / (doubt.clamp_min(1e-12) * self.spread + self._decay)
        size = _dot(gradient, gradient).sqrt()
        enough = size * size.sqrt().clamp_max(0.1)
        direction, residual = torch.zeros_like(gradient), -gradient
        conjugate = inverse * residual
        product = _dot(residual, conjugate)
        going = torch.ones_like(product, dtype=torch.bool)
        for _ in range(_CONJUGATE_STEPS):
            moved = self.z @ conjugate
            moved = self.share * p * (moved - (p * moved).sum(2, keepdim=True))
            curved = self.z.mT @ moved + self._decay * conjugate
            length = torch.where(going, product / _dot(conjugate, curved), 0)
            direction, residual = direction + length * conjugate, residual - length * curved
            going = going & (_dot(residual, residual).sqrt() > enough)
            if not going.any():
                break
            scaled = inverse * residual
            before, product = product, torch.where(going, _dot(residual, scaled), product)
            conjugate = torch.where(going, scaled + product / before * conjugate, conjugate)
        return direction

    def _step(self, here: Tensor, gradient: Tensor, direction: Tensor) -> Tensor:
        """The direction, halved for each problem until its objective falls enough (Armijo)."""
        before, slope = self._value(here), _dot(gradient, direction)[:, 0, 0]
        length = torch.ones_like(before)
        for _ in range(30):
            after = self._value(here + length[:, None, None] * direction)
            short = after > before + 1e-4 * length * slope + 1e-14 * before.abs()
            if not short.any():
                break
            length = torch.where(short, length / 2, length)
        return length[:, None, None] * direction


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((1, 2), keepdim=True)
