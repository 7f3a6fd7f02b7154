"""Slow, plain computations that share no code with `t2v`: what the fast ones are held against."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


def brute_force_fisher(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """The definition, one image and one class at a time: Σ_y p(y|x) (∇ log p(y|x))², averaged.

    Mean over images and over each filter's weights, for every Conv2d by its `named_modules` name.
    """
    convs = {n: m for n, m in network.named_modules() if isinstance(m, nn.Conv2d)}
    total = {n: torch.zeros(m.out_channels, dtype=torch.float64) for n, m in convs.items()}
    network.eval()
    for image in images:
        log_p = network(image[None]).log_softmax(1)[0]
        for value in log_p:
            gradients = torch.autograd.grad(
                value, [m.weight for m in convs.values()], retain_graph=True, allow_unused=True
            )
            for name, gradient in zip(convs, gradients, strict=True):
                if gradient is not None:
                    squares = gradient.detach().square().flatten(1).mean(1)
                    total[name] += (value.detach().exp() * squares).cpu()
    return {name: value / len(images) for name, value in total.items()}


def relative_error(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Largest relative error of any filter; filters that are exactly 0 must be found so."""
    assert list(found) == list(expected)
    worst = 0.0
    for name, value in expected.items():
        assert found[name].shape == value.shape, name
        assert found[name].dtype == torch.float64, name
        zero = value == 0
        assert (found[name][zero] == 0).all(), name
        if not zero.all():
            error = (found[name] - value).abs()[~zero] / value[~zero]
            worst = max(worst, float(error.max()))
    return worst


def kl_divergence(network: nn.Module, moved: nn.Module, images: Tensor) -> Tensor:
    """Mean over images of KL(p_network(y|x) ‖ p_moved(y|x))."""
    with torch.no_grad():
        log_p = network(images).log_softmax(1)
        log_q = moved(images).log_softmax(1)
    return (log_p.exp() * (log_p - log_q)).sum(1).mean()


def variational_objective(log_precision, log_prior, fisher, weights, beta):
    """Supp. B's expansion of L, written out weight by weight; filters share a precision."""
    precision, prior = np.exp(log_precision)[:, None], np.exp(log_prior)
    divergence = prior * weights**2 + prior / precision + np.log(precision) - log_prior - 1
    return 0.5 * (fisher / precision).sum() + 0.5 * beta * divergence.sum()


def model2vec_by_autograd(tasks, experts, errors, prior, alpha, epochs):
    """MODEL2VEC from Sect. 4 and Supp. C.3 alone, in float64, with the gradient by autograd.

    Args:
        tasks: R embeddings with `fisher`, `trivial` and `layers`.
        experts: M of them.
        errors: `[R, M]`.
        prior: multiple of the trivial embedding.
        alpha: weight of the distance to the trivial task.
        epochs: steps of Adam.

    Returns:
        d_asym(t_i, m_j) `[R, M]` after these, and gamma.
    """

    def cosine_distance(a, b):
        u, v = a / (a + b), b / (a + b)
        return 1 - (u * v).sum(-1) / (u.norm(dim=-1) * v.norm(dim=-1))

    t = torch.tensor(np.array([e.fisher + prior * e.trivial for e in tasks]))
    f = torch.tensor(np.array([e.fisher + prior * e.trivial for e in experts]))
    t0 = torch.tensor(np.array([e.trivial for e in experts]))
    for part in tasks[0].layers.values():  # units: a layer's mean over tasks and experts is 1
        mean = torch.cat([t, f])[:, part].mean()
        for x in (t, f, t0):
            x[:, part] /= mean
    e = torch.tensor(errors)
    z = (e - e.mean(1, keepdim=True)) / e.std(1, correction=0, keepdim=True)
    labels = (-20 * z).softmax(1)
    b = torch.zeros_like(f, requires_grad=True)

    def distances():
        m = f + b
        return cosine_distance(t[:, None], m[None]) - alpha * cosine_distance(m, t0)

    def loss(log_gamma):
        return -(labels * (-log_gamma.exp() * distances()).log_softmax(1)).sum(1).mean()

    grid = torch.linspace(0, 8, 81, dtype=torch.float64)  # gamma starts at its best on this grid
    start = grid[torch.tensor([loss(x).item() for x in grid]).argmin()]
    log_gamma = start.clone().requires_grad_()
    groups = [{"params": [b], "weight_decay": 5e-4}, {"params": [log_gamma]}]
    adam = torch.optim.Adam(groups, lr=0.05)
    for _ in range(epochs):
        adam.zero_grad()
        loss(log_gamma).backward()
        adam.step()
        b.data = torch.maximum(b.data, 1e-3 - f)
    return distances().detach().numpy(), log_gamma.exp().item()
