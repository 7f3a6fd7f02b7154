"""The head against the definition of its objective."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from t2v import InputError, fit_head
from t2v.head import WEIGHT_DECAYS, WEIGHT_NORM


def clouds(counts=(40, 15, 25), distance=1.5, dim=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.cat([torch.full((n,), k) for k, n in enumerate(counts)])
    centres = distance * torch.randn(len(counts), dim, generator=generator)
    scale = torch.logspace(-0.5, 0.5, dim)  # features of different size
    return (centres[labels] + torch.randn(len(labels), dim, generator=generator)) * scale, labels


def objective_gradient(features, labels, head):
    """Autograd of the class-balanced mean cross entropy + λ/2 ‖W‖² over scaled features."""
    x = features.double()
    mean, scale = x.mean(0), x.square().mean().sqrt()
    weight = (head.weight.double() * scale).requires_grad_()
    bias = (head.bias.double() + head.weight.double() @ mean).requires_grad_()
    logits = ((x - mean) / scale) @ weight.T + bias
    each = functional.cross_entropy(logits, labels, reduction="none")
    loss = torch.stack([each[labels == k].mean() for k in labels.unique()]).mean()
    (loss + head.weight_decay / 2 * weight.square().sum()).backward()
    return torch.cat([weight.grad.flatten(), bias.grad])


@pytest.mark.parametrize("counts", [(40, 15, 25), (30, 50)])
def test_gradient_of_the_objective_vanishes(counts):
    features, labels = clouds(counts)
    head = fit_head(features, labels, weight_decay=1e-2)
    gradient = objective_gradient(features, labels, head)
    assert head.gradient_norm < 1e-6
    # the head is rounded to float32, the gradient is not: 1e-6 of weights of order one
    assert float(gradient.norm()) == pytest.approx(head.gradient_norm, abs=1e-5)


def test_scale_of_features_does_not_matter():
    features, labels = clouds()
    head = fit_head(features, labels, weight_decay=0.1)
    scaled = fit_head(features * 7, labels, weight_decay=0.1)
    torch.testing.assert_close(
        head.logits(features), scaled.logits(features * 7), atol=1e-4, rtol=1e-4
    )  # two stops of the solver, each within 1e-6 / λ = 1e-5 in weights


@settings(max_examples=10, deadline=None)
@given(st.permutations([0, 1, 2]))
def test_permuting_classes_permutes_the_head(order):
    features, labels = clouds()
    order = torch.tensor(order)
    head = fit_head(features, labels, weight_decay=0.1)
    permuted = fit_head(features, order[labels], weight_decay=0.1)
    torch.testing.assert_close(
        permuted.logits(features)[:, order], head.logits(features), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("counts", [(40, 15, 25), (30, 50), (20,) * 6])
@pytest.mark.parametrize("distance", [0.05, 0.5, 1.5, 40])
def test_heads_have_one_size_and_are_the_best_for_their_decay(counts, distance):
    features, labels = clouds(counts, distance=distance)
    head = fit_head(features, labels)
    scale = float(features.double().square().mean().sqrt())
    size = float(head.weight.norm()) * scale / (len(counts) - 1) ** 0.5
    if head.weight_decay != pytest.approx(WEIGHT_DECAYS[0]):
        assert size == pytest.approx(WEIGHT_NORM, rel=0.001)
    # weights in float32 leave 1e-6 of logits of order ten
    assert objective_gradient(features, labels, head).norm() < 1e-5


def test_a_size_out_of_reach_ends_at_the_weakest_decay():
    # a hundred points for each of two equal clouds: no direction tells the labels apart
    features = torch.randn(100, 2, generator=torch.Generator().manual_seed(0)).repeat(2, 1)
    labels = torch.arange(200) // 100
    assert fit_head(features, labels).weight_decay == pytest.approx(WEIGHT_DECAYS[0], rel=1e-12)


def test_error_is_class_balanced():
    head = fit_head(torch.tensor([[-1.0], [1.0]] * 5), torch.tensor([0, 1] * 5), weight_decay=1e-2)
    features = torch.tensor([[-1.0]] * 9 + [[-2.0]])
    assert head.error(features, torch.tensor([0] * 9 + [1])) == 0.5


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (torch.randn(5, 2), [0] * 5, "at least two classes"),
        (torch.randn(5, 2), [0, 0, 2, 2, 2], "class 1 has no training image"),
        (torch.randn(2, 2), [0, 2], "fewer images"),
        (torch.ones(4, 2), [0, 1, 0, 1], "same features"),
        (torch.full((4, 2), float("nan")), [0, 1, 0, 1], "not finite"),
        (torch.randn(4, 2), [0, 1, 0], "4, 2"),
    ],
)
def test_tasks_without_a_head_are_named(features, labels, message):
    with pytest.raises(InputError, match=message) as caught:
        fit_head(features, torch.tensor(labels), name="odd one")
    assert "task 'odd one'" in str(caught.value)


def test_bad_weight_decay():
    with pytest.raises(InputError, match="weight_decay must be positive"):
        fit_head(*clouds(), weight_decay=0.0)


def test_constant_feature_gets_no_weight():
    features, labels = clouds()
    features[:, 2] = 5.0
    head = fit_head(features, labels, weight_decay=0.1)
    assert np.allclose(head.weight[:, 2], 0)
