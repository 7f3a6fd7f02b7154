"""The two-layer algebra against autograd, and the toy tasks against their recipe."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from t2v.book import two_layers
from t2v.errors import InputError

TIGHT = 1e-12  # float64, sums of at most a few thousand terms


def autograd_fisher(logits, parameters: torch.Tensor, inputs: torch.Tensor) -> np.ndarray:
    """The definition, term by term: every image, every class, its gradient's outer product."""
    total = torch.zeros(parameters.numel(), parameters.numel(), dtype=torch.float64)
    for x in inputs:
        log_p = torch.log_softmax(logits(parameters, x), dim=0)
        for k in range(len(log_p)):
            (g,) = torch.autograd.grad(log_p[k], parameters, retain_graph=True)
            total += log_p[k].detach().exp() * torch.outer(g.flatten(), g.flatten())
    return (total / len(inputs)).numpy()


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def leaf(array: np.ndarray) -> torch.Tensor:
    return torch.tensor(array, requires_grad=True)


def binary(a: torch.Tensor) -> torch.Tensor:
    return torch.stack([torch.zeros_like(a), a])  # softmax of (0, a) is (1 - sigmoid a, sigmoid a)


def test_last_layer_fisher_is_autograds():
    features, weights = draw(30, 5), draw(5, seed=1)
    expected = autograd_fisher(lambda w, x: binary(w @ x), leaf(weights), torch.tensor(features))
    np.testing.assert_allclose(
        two_layers.last_layer_fisher(features, weights), expected, rtol=TIGHT
    )


def two_layer_logits(parameters: torch.Tensor, x: torch.Tensor, units: int = 4) -> torch.Tensor:
    output, hidden = parameters[:units], parameters[units:].reshape(units, -1)
    return binary(output @ torch.sigmoid(hidden @ x))


def test_two_layer_fisher_is_autograds_and_the_printed_mixed_block_is_not():
    inputs, hidden, output = draw(20, 3), draw(4, 3, seed=1), draw(4, seed=2)
    parameters = leaf(np.concatenate([output, hidden.ravel()]))
    expected = autograd_fisher(two_layer_logits, parameters, torch.tensor(inputs))
    ours = two_layers.two_layer_fisher(inputs, hidden, output)
    np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-15)
    # Supplement A prints (y-p)^2 z_j z_k (1-z_k) x_i for the block of w and U: w_k is missing
    printed = ours[:4, 4:] / np.repeat(output, 3)
    wrong = np.linalg.norm(printed - expected[:4, 4:]) / np.linalg.norm(expected[:4, 4:])
    assert wrong > 0.1
    np.testing.assert_allclose(printed * np.repeat(output, 3), expected[:4, 4:], rtol=1e-10)


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_feature_fisher_is_autograds_for_any_number_of_classes(classes):
    inputs, hidden = draw(15, 3), draw(4, 3, seed=1)
    head, bias = draw(classes, 4, seed=2), draw(classes, seed=3)

    def logits(u, x):
        return torch.tensor(head) @ torch.sigmoid(u @ x) + torch.tensor(bias)

    expected = autograd_fisher(logits, leaf(hidden), torch.tensor(inputs))
    ours = two_layers.feature_fisher(inputs, hidden, head, bias)
    assert ours.shape == (12, 12)
    np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-15)


def test_feature_fisher_of_two_classes_is_the_block_of_the_two_layer_fisher():
    inputs, hidden, output = draw(20, 3), draw(4, 3, seed=1), draw(4, seed=2)
    ours = two_layers.feature_fisher(inputs, hidden, np.stack([0 * output, output]))
    block = two_layers.two_layer_fisher(inputs, hidden, output)[4:, 4:]
    np.testing.assert_allclose(ours, block, rtol=1e-10, atol=1e-16)


def test_classes_may_be_permuted_or_split_by_a_coin():
    inputs, hidden, head, bias = (
        draw(20, 3),
        draw(4, 3, seed=1),
        draw(3, 4, seed=2),
        draw(3, seed=3),
    )
    ours = two_layers.feature_fisher(inputs, hidden, head, bias)
    order = [2, 0, 1]
    permuted = two_layers.feature_fisher(inputs, hidden, head[order], bias[order])
    np.testing.assert_allclose(permuted, ours, rtol=1e-10, atol=1e-16)
    # a coin of 30% divides every class: the same rows, log 0.3 and log 0.7 added to the bias
    split_bias = np.concatenate([bias + np.log(0.3), bias + np.log(0.7)])
    split = two_layers.feature_fisher(inputs, hidden, np.concatenate([head, head]), split_bias)
    np.testing.assert_allclose(split, ours, rtol=1e-10, atol=1e-16)


def test_the_trace_lies_between_half_the_believed_error_and_the_believed_error():
    features = draw(200, 4)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    for scale in (0.1, 1.0, 10.0):
        weights = scale * draw(4, seed=1)
        p = 1 / (1 + np.exp(-features @ weights))
        believed = np.minimum(p, 1 - p).mean()
        trace = np.trace(two_layers.last_layer_fisher(features, weights))
        assert believed / 2 <= trace <= believed


def test_fisher_is_the_curvature_of_the_kl_divergence():
    features, weights, step = draw(50, 5), draw(5, seed=1), 1e-4 * draw(5, seed=2)
    p, q = (1 / (1 + np.exp(-features @ w)) for w in (weights, weights + step))
    kl = np.mean(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))
    half = step @ two_layers.last_layer_fisher(features, weights) @ step / 2
    assert kl == pytest.approx(half, rel=1e-3)  # the next term is of the order of the step


def test_fit_logistic_is_at_a_stationary_point():
    features = two_layers.polynomial_features(two_layers.unit_grid(16))
    tasks = two_layers.square_tasks(6, side=16)
    for labels in tasks.labels:
        weights = two_layers.fit_logistic(features, labels, weight_decay=1e-3)
        p = 1 / (1 + np.exp(-features @ weights))
        gradient = features.T @ (p - labels) / len(labels) + 1e-3 * weights
        assert np.linalg.norm(gradient) < 1e-7


def test_swapped_classes_give_the_same_fisher():
    tasks = two_layers.square_tasks(3, side=16)
    features = two_layers.relu_features(tasks.points)
    for labels in tasks.labels:
        one, other = (
            two_layers.last_layer_fisher(features, two_layers.fit_logistic(features, y))
            for y in (labels, 1 - labels)
        )
        np.testing.assert_allclose(one, other, atol=1e-7 * np.abs(one).max())


def test_square_tasks_follow_the_recipe():
    tasks = two_layers.square_tasks(64, side=16, seed=3)
    assert tasks.points.shape == (256, 2) and tasks.labels.shape == (64, 256)
    assert 0 < tasks.points.min() and tasks.points.max() < 1
    np.testing.assert_allclose(tasks.points.mean(0), 0.5)
    assert set(np.unique(tasks.labels)) == {0, 1}
    assert tasks.clusters.min() == 3 and tasks.clusters.max() == 16  # 64 draws from 14 numbers
    # k // 2 pieces of about the same size: about half of the square, a third when k = 3
    share = tasks.labels.mean(1)
    assert abs(share[tasks.clusters % 2 == 0].mean() - 0.5) < 0.05
    assert abs(share[tasks.clusters == 3].mean() - 1 / 3) < 0.1
    again = two_layers.square_tasks(64, side=16, seed=3)
    np.testing.assert_array_equal(again.labels, tasks.labels)
    assert (two_layers.square_tasks(64, side=16, seed=4).labels != tasks.labels).any()


def test_features_follow_the_recipe():
    points = two_layers.unit_grid(8)
    relu = two_layers.relu_features(points, count=10, seed=1)
    assert relu.shape == (64, 10) and relu.min() == 0 and relu.max() <= 2
    x, y = points.T
    monomials = [x**i * y**j for i in range(4) for j in range(4 - i)]
    cubic = two_layers.polynomial_features(points)
    assert cubic.shape == (64, 10)
    for monomial in monomials:
        assert np.isclose(cubic, monomial[:, None]).all(0).sum() == 1


def test_flatten_keeps_frobenius_distances():
    a, b = (m @ m.T for m in (draw(5, 5), draw(5, 5, seed=1)))
    gap = two_layers.flatten(a) - two_layers.flatten(b)
    assert np.linalg.norm(gap) == pytest.approx(np.linalg.norm(a - b), rel=TIGHT)


def test_boundaries_of_known_tiles():
    side = 20
    x, y = two_layers.unit_grid(side).T
    left, low, slim = (np.asarray(rule, dtype=int) for rule in (x < 0.5, y < 0.5, x < 0.15))
    labels = np.stack([left, low, 1 - left, slim])
    np.testing.assert_allclose(two_layers.boundary_length(labels), 1)
    distance = two_layers.boundary_distance(labels, blur=0.05)
    assert distance[0, 2] == pytest.approx(0, abs=1e-12)  # classes swapped: the same line
    assert distance[0, 3] > 0.9  # parallel lines seven blurs apart
    assert 0.2 < distance[0, 1] < 0.9  # they cross in the middle
    np.testing.assert_allclose(distance, distance.T)


def test_spread_tiles_do_not_overlap():
    places = np.concatenate([draw(30, 2), np.zeros((2, 2))])
    moved = two_layers.spread(places, gap=0.4)
    apart = np.abs(moved[:, None] - moved[None]).max(-1) + 10 * np.eye(len(moved))
    assert apart.min() >= 0.4 * 0.999
    far = 100 * places[:-2]
    np.testing.assert_allclose(two_layers.spread(far, gap=0.01), far, atol=1e-3)


def test_errors_say_what_to_change():
    features = two_layers.polynomial_features(two_layers.unit_grid(4))
    with pytest.raises(InputError, match="two classes"):
        two_layers.fit_logistic(features, np.zeros(16))
    with pytest.raises(InputError, match="weight_decay"):
        two_layers.fit_logistic(features, np.arange(16) % 2, weight_decay=0)
    with pytest.raises(InputError, match="clusters"):
        two_layers.square_tasks(1, side=4, clusters=(3, 17))
