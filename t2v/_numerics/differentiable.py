"""The symmetric distance in torch, with a gradient; values as in `t2v._numerics.pairwise`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _ShareSums(torch.autograd.Function):
    """Sums over filters of r = a / (a + m) and of r² for all pairs, which determine d_sym.

    dr/dm = -r²/a. One expert at a time, so that its shares `[R, F]` stay in the processor's cache:
    several times as fast as all at once, although they are computed twice.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(a, m)
        sums = a.new_empty(2, len(m), len(a))
        share = torch.empty_like(a)
        for j, model in enumerate(m):
            _shares(a, model, share)
            torch.sum(share, -1, out=sums[0, j])
            torch.linalg.vecdot(share, share, out=sums[1, j])
        return sums[0], sums[1]

    @staticmethod
    def backward(ctx: Any, first: Tensor, second: Tensor) -> tuple[None, Tensor]:
        a, m = ctx.saved_tensors
        rows = ((first != 0) | (second != 0)).any(0)  # tasks held out have no gradient
        a, first, second = a[rows], first[:, rows], second[:, rows]
        gradient = torch.empty_like(m)
        share, power = torch.empty_like(a), torch.empty_like(a)
        for j, model in enumerate(m):
            _shares(a, model, share)
            torch.mul(share, share, out=power).div_(a)
            torch.mv(power.T, first[j], out=gradient[j])
            gradient[j].addmv_(power.mul_(share).T, second[j], alpha=2)
        return None, gradient.neg_()


def _shares(a: Tensor, model: Tensor, out: Tensor) -> None:
    torch.div(a, torch.add(a, model, out=out), out=out)


def symmetric_matrix(a: Tensor, m: Tensor) -> Tensor:
    """d_sym `[R, M]` of all rows of a `[R, F]` and m `[M, F]`; no gradient with respect to a."""
    first, second = (x.T for x in _ShareSums.apply(a, m))
    filters = a.shape[1]
    other = filters - 2 * first + second  # the sum of (1 - r)²
    root = (second * other).clamp(min=1e-12).sqrt()
    return (filters * second - first**2).clamp(min=0) / (root * (root + first - second))


def paired_symmetric(m: Tensor, trivial: Tensor) -> Tensor:
    """d_sym `[M]` of every row of m `[M, F]` and the same row of `trivial`."""
    r, s = m / (m + trivial), trivial / (m + trivial)
    return 1 - (r * s).sum(1) / (r.square().sum(1) * s.square().sum(1)).sqrt()
