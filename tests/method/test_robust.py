"""The robust Fisher information: its optimum on losses that are known, and agreement on a probe."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import spearmanr
from torch import nn

from t2v.errors import InputError
from t2v.fisher import filter_fisher
from t2v.robust import closed_form, robust_fisher
from tests.networks import same, small, state, trained
from tests.oracles import variational_objective

CURVATURE = torch.tensor([1.0, 3.0, 10.0, 30.0], dtype=torch.float64)


class Quadratic(nn.Module):
    """One convolution, and a loss that is quadratic in its weights: ½ s_o (Σ_t out_ot / √T)²."""

    def __init__(self, size):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 2, dtype=torch.float64)
        self.images = 0.3 + torch.randn(64, 3, size, size, dtype=torch.float64)
        self.target = self(self.images).detach()
        self.power = {"conv": float(self.conv.weight.detach().square().mean())}

    def forward(self, x):
        return self.conv(x).flatten(1)

    def loss(self, output, target):
        residual = (output - target).unflatten(1, (4, -1))
        mean = residual.sum(2) / residual.shape[2] ** 0.5
        return 0.5 * (CURVATURE * mean.square()).sum(1).mean()

    def hessian(self, positions="together"):
        """Mean over a filter's weights of the Hessian's diagonal, by autograd from the loss.

        ``"apart"`` leaves out the products of different output positions.
        """
        total = torch.zeros(4, dtype=torch.float64)
        patches = nn.functional.unfold(self.images, 2)
        count = patches.shape[2] if positions == "apart" else 1
        for t in range(count):
            seen = patches[..., t] if positions == "apart" else patches.sum(2)
            each = seen.square().mean(0) / patches.shape[2]
            total += CURVATURE * each.mean()
        return {"conv": total}


def train(net, noise, **options):
    options = {"beta": 0.01, "steps": 700, **options}
    return robust_fisher(
        net, net.images, net.target, noise=noise, loss=net.loss,
        generator=torch.Generator().manual_seed(1), **options,
    )  # fmt: skip


def test_hessian_of_the_quadratic_loss():
    """The oracle's own check: second derivatives of the loss by autograd."""
    net = Quadratic(4)

    def loss(weight):
        out = torch.func.functional_call(net, {"conv.weight": weight}, net.images)
        return net.loss(out, net.target)

    weight = net.conv.weight.detach()
    matrix = torch.autograd.functional.hessian(loss, weight).reshape(48, 48)
    expected = matrix.diagonal().view(4, 12).mean(1)
    assert torch.allclose(net.hessian()["conv"], expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("size", "noise", "positions"),
    [(2, "local", "together"), (4, "flipout", "together"), (4, "local", "apart")],
)
@pytest.mark.parametrize("prior", [None, 20.0])
def test_quadratic_loss_reaches_the_closed_form(size, noise, positions, prior):
    net = Quadratic(size)
    found = train(net, noise, prior=prior)
    expected = closed_form(net.hessian(positions), net.power, beta=0.01, prior=prior)
    # stochastic gradients: log Λ still moves by a few hundredths over the averaged steps
    assert torch.allclose(found["conv"].log(), expected["conv"].log(), atol=0.1)
    assert found.prior["conv"] == pytest.approx(expected.prior["conv"], rel=0.03)
    # and not the precisions of half the size that the printed constants would give
    assert (found["conv"] / (2 * expected["conv"])).log().abs().min() > 0.5


def test_hessians_of_the_two_noises_differ():
    """The oracle's own check: else the test above could not tell one from the other."""
    net = Quadratic(4)
    together, apart = net.hessian("together")["conv"], net.hessian("apart")["conv"]
    assert (together / apart).min() > 1.3


def test_closed_form_minimises_the_expansion():
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.2, (5, 12))
    full = rng.exponential(1e-3, (5, 12))  # of each weight; only the filters' means can matter
    fisher, beta = full.mean(1), 1e-4

    def value(free):
        return variational_objective(free[:-1], free[-1], full, weights, beta)

    best = minimize(value, np.full(6, 3.0), method="BFGS", options={"gtol": 1e-9})
    found = closed_form({"a": torch.tensor(fisher)}, {"a": float((weights**2).mean())}, beta=beta)
    assert np.allclose(np.exp(best.x[:-1]), found["a"].numpy(), rtol=1e-4)
    assert np.exp(best.x[-1]) == pytest.approx(found.prior["a"], rel=1e-4)
    # the paper's constant for the same expansion, Λ = (2/β) H + λ², is not a minimum
    paper = np.log(2 / beta * fisher + found.prior["a"])
    assert value(np.append(paper, best.x[-1])) > best.fun * (1 + 1e-3)


@pytest.mark.parametrize("beta", [1e-9, 1e-6, 1e-3, 1.0])
def test_prior_solves_its_equation(beta):
    fisher = {"a": torch.tensor([1e-6, 1e-3, 0.0, 2e-4], dtype=torch.float64)}
    power = {"a": 0.04}
    result = closed_form(fisher, power, beta=beta)
    prior = result.prior["a"]
    assert prior * (power["a"] + float((1 / result["a"]).mean())) == pytest.approx(1, rel=1e-9)
    assert 0 < prior < 1 / power["a"]
    assert torch.allclose(result["a"], fisher["a"] / beta + prior)


def test_a_task_without_content_has_the_trivial_embedding():
    nothing = {"a": torch.zeros(3, dtype=torch.float64)}
    assert closed_form(nothing, {"a": 0.04}, beta=1e-3).prior["a"] == 0
    given = closed_form(nothing, {"a": 0.04}, beta=1e-3, prior=2.0)
    assert (given["a"] == 2).all()


@pytest.mark.parametrize(("noise", "threshold"), [("flipout", 0.8), ("local", 0.65)])
def test_agrees_in_rank_with_the_closed_form_on_a_network(noise, threshold):
    """The noise is finite, so values differ; the order of the filters is the same in the main.

    Local noise is held to less: it leaves out the products of positions.
    """
    network, images = trained()
    labels = torch.arange(6).repeat(20)
    beta = 1e-4
    power = {n: float(network.get_submodule(n).weight.detach().square().mean()) for n in ("0", "2")}
    expected = closed_form(filter_fisher(network, images), power, beta=beta)
    found = robust_fisher(
        network, images, labels, beta=beta, noise=noise, steps=600,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    assert list(found) == list(expected)
    assert (
        spearmanr(torch.cat(list(found.values())), torch.cat(list(expected.values())))[0]
        > threshold
    )
    assert found.objective[-50:].mean() < found.objective[:50].mean()


def test_network_is_left_as_it_was_and_seed_decides():
    network, images = small()
    network.train()
    labels = torch.arange(len(images)) % 4
    before = state(network)

    def run(seed, **options):
        generator = torch.Generator().manual_seed(seed)
        return robust_fisher(
            network, images, labels, beta=1e-3, steps=8, generator=generator, **options
        )

    first, again, other = run(0), run(0), run(1)
    assert same(before, state(network))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert first.prior == again.prior
    assert any(not torch.equal(first[name], other[name]) for name in first)
    with_head = run(0, head="6", head_learning_rate=0.1)
    assert same(before, state(network))
    assert with_head.objective[-1] < first.objective[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": 0.0}, "beta: got 0.0"),
        ({"labels": torch.zeros(3, dtype=torch.int64)}, "labels: got 3 for 6 images"),
        ({"noise": "gauss"}, "noise: got 'gauss'.*local, flipout"),
        ({"head": "fc"}, "no module 'fc'"),
        ({"steps": 1}, "steps: got 1"),
        ({"prior": -1.0}, "prior: got -1.0"),
        ({"images": torch.full((6, 3, 9, 9), torch.nan)}, "objective is not finite at step 0"),
    ],
)
def test_bad_input_is_one_clear_line(options, message):
    network, images = small()
    before = state(network)
    labels = torch.zeros(len(images), dtype=torch.int64)
    arguments = {"images": images, "labels": labels, "beta": 1e-3, **options}
    with pytest.raises(InputError, match=message):
        robust_fisher(network, **arguments)
    assert same(before, state(network))
