"""Batched multinomial logistic regression by an inexact Newton method (Newton-CG).

The objective is the class-balanced mean cross entropy plus λ/2 ‖W‖², over features centred and
divided by one root mean square per problem; the bias is not penalised. In the basis of principal
components the Hessian is nearly diagonal, so few steps of conjugate gradients (CG) are needed, and
every step is a few products of `[C, N, R]` tensors. A solution does not depend on the rest of the
batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

TOLERANCE = 1e-6  # on the gradient's norm
_NEWTON_STEPS = 60
_CG_STEPS = 300
_HALVINGS = 30
_ARMIJO = 1e-4


@dataclass(frozen=True, eq=False)
class PrincipalBasis:
    """PCA basis of standardised features, and the map from it back to the features.

    Attributes:
        components: `[C, D, R]`, orthonormal, so that the penalty is the same in both bases.
        mean: `[C, D]`, class-balanced mean of the features.
        scale: `[C]`, root mean square of the features.
    """

    components: Tensor
    mean: Tensor
    scale: Tensor

    def to_features(self, solution: Tensor) -> tuple[Tensor, Tensor]:
        """Weights `[C, K, D]` and biases `[C, K]` on the features of a solution `[C, R + 1, K]`."""
        weight = (self.components @ solution[:, :-1]).mT / self.scale[:, None, None]
        return weight, solution[:, -1] - (weight @ self.mean[..., None])[..., 0]


def standardise(
    features: Tensor, labels: Tensor, num_classes: int, weight_decay: float
) -> tuple[Problems, PrincipalBasis]:
    """C problems with the same labels, in the basis of their principal components.

    Args:
        features: `[C, N, D]`, float.
        labels: `[N]` in `0..K-1`, each class at least once, on the features' device.
        num_classes: K.
        weight_decay: λ, for features of root mean square 1.
    """
    counts = torch.bincount(labels, minlength=num_classes)
    image_weight = 1 / (num_classes * counts[labels].double())
    x = features.double()
    mean, scale = image_weight @ x, x.square().mean((1, 2)).sqrt().clamp_min(1e-300)
    z = (x - mean[:, None]) / scale[:, None, None]
    z, components, variance = _principal_components(z, image_weight)
    ones = torch.ones_like(z[..., :1])
    problems = Problems(
        z=torch.cat([z, ones], 2),
        image_weight=image_weight[:, None],
        target=torch.nn.functional.one_hot(labels, num_classes).double(),
        variance=torch.cat([variance, ones[:, 0]], 1)[..., None],
        weight_decay=weight_decay,
    )
    return problems, PrincipalBasis(components, mean, scale)


def _principal_components(z: Tensor, image_weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scores `[C, N, R]`, components `[C, D, R]` and variances `[C, R]` of features `[C, N, D]`."""
    span = None
    if z.shape[1] < z.shape[2]:  # fewer images than features: they span a smaller space
        span = torch.linalg.qr(z.mT).Q
        z = z @ span
    variance, rotation = torch.linalg.eigh(z.mT @ (image_weight[:, None] * z))
    components = rotation if span is None else span @ rotation
    return z @ rotation, components, variance.clamp_min(0)


@dataclass(frozen=True, eq=False)
class Problems:
    """C problems in their principal bases; parameters are `[C, R + 1, K]`, the bias last.

    Attributes:
        z: `[C, N, R + 1]`, scores of the images and a one.
        image_weight: `[N, 1]`, weight of each image in the loss; they sum to 1.
        target: `[N, K]`, one-hot labels.
        variance: `[C, R + 1, 1]`, variance along each component.
        weight_decay: λ.
    """

    z: Tensor
    image_weight: Tensor
    target: Tensor
    variance: Tensor
    weight_decay: float

    def __getitem__(self, index: Tensor) -> Problems:
        """The problems at these positions, or where a bool `[C]` is true."""
        return replace(self, z=self.z[index], variance=self.variance[index])

    @cached_property
    def _decay(self) -> Tensor:
        decay = self.variance.new_full((self.variance.shape[1], 1), self.weight_decay)
        decay[-1] = 0  # of the bias
        return decay

    @property
    def zero(self) -> Tensor:
        """Parameters `[C, R + 1, K]` that are all 0."""
        return self.z.new_zeros(len(self.z), self.z.shape[2], self.target.shape[1])

    def _objective(self, w: Tensor) -> Tensor:
        log_p = (self.z @ w).log_softmax(2)
        log_likelihood = (self.image_weight * self.target * log_p).sum((1, 2))
        return (self._decay * w.square()).sum((1, 2)) / 2 - log_likelihood

    def _gradient(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient, and the class probabilities `[C, N, K]`."""
        p = (self.z @ w).softmax(2)
        return self.z.mT @ (self.image_weight * (p - self.target)) + self._decay * w, p

    def _hessian_times(self, vector: Tensor, p: Tensor) -> Tensor:
        logits = self.z @ vector
        logits = self.image_weight * p * (logits - (p * logits).sum(2, keepdim=True))
        return self.z.mT @ logits + self._decay * vector

    def solve(
        self, tolerance: float = TOLERANCE, start: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Minimise the objectives.

        Args:
            tolerance: largest norm of a gradient at a solution.
            start: initial parameters `[C, R + 1, K]`; default: zero.

        Returns:
            Solutions `[C, R + 1, K]` and the norms of their gradients `[C]`.
        """
        w = self.zero if start is None else start.clone()
        norm = w[:, 0, 0].clone()
        active, problems = torch.arange(len(w), device=w.device), self
        for _ in range(_NEWTON_STEPS):
            gradient, p = problems._gradient(w[active])
            norm[active] = gradient.norm(dim=(1, 2))
            unsolved = norm[active] > tolerance
            if not unsolved.any():
                break
            if not unsolved.all():
                active, problems = active[unsolved], problems[unsolved]
                gradient, p = gradient[unsolved], p[unsolved]
            direction = problems._newton_direction(gradient, p)
            w[active] = problems._line_search(w[active], gradient, direction)
        return w, norm

    def _newton_direction(self, gradient: Tensor, p: Tensor) -> Tensor:
        """Inexact Newton direction by preconditioned CG, forcing term min(0.1, √‖g‖)."""
        mean_p_variance = (self.image_weight * p * (1 - p)).sum((1, 2), keepdim=True) / p.shape[2]
        preconditioner = 1 / (mean_p_variance.clamp_min(1e-12) * self.variance + self._decay)
        norm = _dot(gradient, gradient).sqrt()
        cg_tolerance = norm * norm.sqrt().clamp_max(0.1)
        direction, residual = torch.zeros_like(gradient), -gradient
        search = preconditioner * residual
        product = _dot(residual, search)
        active = torch.ones_like(product, dtype=torch.bool)
        for _ in range(_CG_STEPS):
            curvature = self._hessian_times(search, p)
            step = torch.where(active, product / _dot(search, curvature), 0)
            direction, residual = direction + step * search, residual - step * curvature
            active = active & (_dot(residual, residual).sqrt() > cg_tolerance)
            if not active.any():
                break
            scaled = preconditioner * residual
            previous, product = product, torch.where(active, _dot(residual, scaled), product)
            search = torch.where(active, scaled + product / previous * search, search)
        return direction

    def _line_search(self, w: Tensor, gradient: Tensor, direction: Tensor) -> Tensor:
        """Parameters after a step that is halved until the objective falls enough (Armijo)."""
        before, slope = self._objective(w), _dot(gradient, direction)[:, 0, 0]
        length = torch.ones_like(before)
        for _ in range(_HALVINGS):
            after = self._objective(w + length[:, None, None] * direction)
            too_long = after > before + _ARMIJO * length * slope + 1e-14 * before.abs()
            if not too_long.any():
                break
            length = torch.where(too_long, length / 2, length)
        return w + length[:, None, None] * direction


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner products `[C, 1, 1]`."""
    return (a * b).sum((1, 2), keepdim=True)
