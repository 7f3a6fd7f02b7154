"""The Fisher information against its definition and its meaning, and how far estimates scatter."""

from __future__ import annotations

import copy
import itertools
import math

import pytest
import torch
from torch import nn

from t2v.fisher import filter_fisher
from tests.networks import NETWORKS, build, small, trained
from tests.oracles import brute_force_fisher, kl_divergence, relative_error

# ------------------------------------------------------------------------- the definition


@pytest.mark.parametrize("name", NETWORKS)
def test_exact_is_the_definition(name, device, dtype):
    network, images = build(name)
    # on the same device: PyTorch's hardswish on CUDA has 1/6 in float32, also for float64
    expected = brute_force_fisher(network.to(device), images.to(device))
    found = filter_fisher(network.to(dtype), images.to(dtype))
    # of the seven digits of float32, deep networks leave three or four
    assert relative_error(found, expected) < {torch.float64: 1e-6, torch.float32: 1e-3}[dtype]
    assert sum(float(value.sum()) for value in expected.values()) > 0


def test_exact_is_what_kl_divergence_sees():
    """KL(p_w ‖ p_{w+δ}) = ½ δᵀFδ + O(δ³): moving each weight of a filter alone adds up to K·F/2."""
    network, images = small()
    fisher = filter_fisher(network, images)
    step = 2e-5
    for name in ("0", "3"):
        moved = copy.deepcopy(network)
        weight = moved.get_submodule(name).weight.data
        for o in range(len(weight)):
            flat, total = weight[o].view(-1), 0.0
            for k in range(len(flat)):
                for sign in (step, -step):  # both ways, so that the third order cancels
                    flat[k] += sign
                    total += float(kl_divergence(network, moved, images)) / 2
                    flat[k] -= sign
            expected = 0.5 * step**2 * len(flat) * float(fisher[name][o])
            # what is left: KL's fourth order, ReLUs that switch (both fall with the step), rounding
            assert total == pytest.approx(expected, rel=1e-3), (name, o)


def test_float32_agrees_with_float64():
    network, images = build("resnet18")
    expected = filter_fisher(network, images)
    found = filter_fisher(network.float(), images.float())
    for name, value in expected.items():
        # forward and backward rounding of 20 layers, not the accumulation
        assert torch.allclose(found[name], value, rtol=1e-3, atol=1e-4 * float(value.max())), name


def test_a_filter_that_does_not_matter_is_zero():
    network, images = build("odd")
    assert (filter_fisher(network, images)["unused"] == 0).all()


# ---------------------------------------------------------------- sketch and sampled labels


@pytest.mark.parametrize("passes", [1, 2, 3, 5])
def test_sketch_is_exact_over_all_signs(passes, monkeypatch):
    network, images = small(sharpness=8.0)
    expected = brute_force_fisher(network, images)
    mean = {name: torch.zeros_like(value) for name, value in expected.items()}
    patterns = list(itertools.product([-1, 1], repeat=3))  # K - 1 = 3 columns
    spread = 0.0
    for pattern in patterns:
        signs = torch.tensor(pattern, dtype=torch.int8).repeat(len(images), 1)
        monkeypatch.setattr("t2v.fisher._draws", lambda *_, signs=signs: signs)
        one = filter_fisher(network, images, estimator="sketch", passes=passes)
        spread = max(spread, relative_error(one, expected))
        for name in mean:
            mean[name] += one[name] / len(patterns)
    assert relative_error(mean, expected) < 1e-10
    assert (spread < 1e-10) == (passes >= 3)  # one column a pass leaves nothing to chance


def test_sample_is_exact_over_all_labels(monkeypatch):
    network, images = small()
    image = images[:1]
    p = network(image).softmax(1)[0].detach()
    expected = brute_force_fisher(network, image)
    mean = {name: torch.zeros_like(value) for name, value in expected.items()}
    for c in range(len(p)):
        middle = (p[:c].sum() + p[c] / 2).view(1, 1)
        monkeypatch.setattr("t2v.fisher._draws", lambda *_, u=middle: u)
        one = filter_fisher(network, image, estimator="sample")
        for name in mean:
            mean[name] += p[c] * one[name]
    assert relative_error(mean, expected) < 1e-10


@pytest.mark.parametrize("estimator", ["sketch", "sample"])
def test_unbiased(estimator):
    """Independent runs are added until the mean is known to 1%; it must then agree to 5 errors."""
    network, images = small(sharpness=2.0)
    exact = torch.cat(list(filter_fisher(network, images).values()))
    copies, generator = 200, torch.Generator().manual_seed(5)
    runs = []
    for _ in range(60):  # budget: 12,000 passes over the images
        many = images.repeat(copies, 1, 1, 1)
        run = filter_fisher(network, many, estimator=estimator, generator=generator)
        runs.append(torch.cat(list(run.values())) / exact)
        if len(runs) < 10:
            continue
        ratio = torch.stack(runs)
        error = ratio.std(0) / math.sqrt(len(runs))
        if error.max() < 0.01:
            break
    assert error.max() < 0.01
    assert ((ratio.mean(0) - 1).abs() < 5 * error).all()


def noise(network, images, estimator, passes=1, runs=40):
    """Median over filters of the relative standard deviation of one estimate."""
    exact = torch.cat(list(filter_fisher(network, images).values()))
    values = [
        torch.cat(
            list(
                filter_fisher(
                    network, images, estimator=estimator, passes=passes,
                    generator=torch.Generator().manual_seed(seed),
                ).values()
            )
        )
        for seed in range(runs)
    ]  # fmt: skip
    return float((torch.stack(values).std(0) / exact).median())


def test_sketch_is_steadier_than_sampled_labels_for_a_trained_head():
    network, images = trained()
    p = network(images).softmax(1).detach()
    assert p.amax(1).median() > 0.95  # peaked, as heads are
    sketch, sample = noise(network, images, "sketch"), noise(network, images, "sample")
    assert sketch < 0.5 * sample
    # several passes share the columns out: better than as many independent sketches
    assert noise(network, images, "sketch", passes=3) < sketch / math.sqrt(3)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["odd", "resnet18", "mobilenet_v3"])
def test_cuda_agrees_with_the_definition(name):
    network, images = build(name)
    expected = brute_force_fisher(network.cuda(), images.cuda())
    assert relative_error(filter_fisher(network, images), expected) < 1e-6


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["odd", "resnet18"])  # without hardswish, see above
def test_a_sketch_draws_the_same_signs_on_both_devices(name):
    network, images = build(name)
    sketches = []
    for device in ("cuda", "cpu"):
        draw = torch.Generator().manual_seed(0)
        network = network.to(device)
        sketches.append(filter_fisher(network, images, estimator="sketch", generator=draw))
    assert relative_error(*sketches) < 1e-6


def test_a_head_beyond_doubt_gives_zeros_not_nans():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6)
    )
    images = torch.randn(3, 3, 8, 8)
    for factor in (1e1, 1e2, 1e3, 1e3):  # up to 1e9 in all: probabilities down to denormal, then 0
        network[-1].weight.data *= factor
        for estimator in ("exact", "sketch"):
            assert filter_fisher(network, images, estimator=estimator)["0"].isfinite().all()
