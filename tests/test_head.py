"""The head against the definition of its objective."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from t2v import InputError, fit_head
from t2v.head import WEIGHT_DECAYS


def clouds(counts=(40, 15, 25), distance=1.5, dim=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.cat([torch.full((n,), k) for k, n in enumerate(counts)])
    centres = distance * torch.randn(len(counts), dim, generator=generator)
    scale = torch.logspace(-2, 2, dim)  # features of very different size
    return (centres[labels] + torch.randn(len(labels), dim, generator=generator)) * scale, labels


def objective_gradient(features, labels, head):
    """Autograd of the class-balanced mean cross entropy + λ/2 ‖W‖² over standardised features."""
    x = features.double()
    mean, std = x.mean(0), x.std(0, correction=0)
    weight = (head.weight.double() * std).requires_grad_()
    bias = (head.bias.double() + head.weight.double() @ mean).requires_grad_()
    logits = ((x - mean) / std) @ weight.T + bias
    each = functional.cross_entropy(logits, labels, reduction="none")
    loss = torch.stack([each[labels == k].mean() for k in labels.unique()]).mean()
    (loss + head.weight_decay / 2 * weight.square().sum()).backward()
    return torch.cat([weight.grad.flatten(), bias.grad])


@pytest.mark.parametrize("counts", [(40, 15, 25), (30, 50)])
def test_gradient_of_the_objective_vanishes(counts):
    features, labels = clouds(counts)
    head = fit_head(features, labels, weight_decay=1e-2)
    gradient = objective_gradient(features, labels, head)
    assert head.gradient_norm < 1e-4
    # the head is rounded to float32, the gradient is not: 1e-6 of weights of order one
    assert float(gradient.norm()) == pytest.approx(head.gradient_norm, abs=1e-5)


def test_scale_and_shift_of_features_do_not_matter():
    features, labels = clouds()
    head = fit_head(features, labels, weight_decay=0.1)
    moved = fit_head(features * 7 + 3, labels, weight_decay=0.1)
    torch.testing.assert_close(
        head.logits(features), moved.logits(features * 7 + 3), atol=2e-3, rtol=1e-3
    )  # two stops of the solver, each within its tolerance


@settings(max_examples=10, deadline=None)
@given(st.permutations([0, 1, 2]))
def test_permuting_classes_permutes_the_head(order):
    features, labels = clouds()
    order = torch.tensor(order)
    head = fit_head(features, labels, weight_decay=0.1)
    permuted = fit_head(features, order[labels], weight_decay=0.1)
    torch.testing.assert_close(
        permuted.logits(features)[:, order], head.logits(features), atol=2e-3, rtol=1e-3
    )


def test_cross_validation_is_surer_where_classes_are_further_apart():
    far, labels = clouds(distance=6.0)
    near, _ = clouds(distance=0.3)
    decay_far = fit_head(far, labels).weight_decay
    decay_near = fit_head(near, labels).weight_decay
    assert {decay_far, decay_near} <= set(WEIGHT_DECAYS)
    assert decay_far < decay_near


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
