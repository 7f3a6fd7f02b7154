"""Batched classifiers: against sklearn to convergence, one by one or together, and their errors."""

from itertools import permutations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from t2v import InputError, fit_head
from t2v.experts.linear_classifiers import WEIGHT_DECAY, Classifiers, fit_classifiers


def problems(count=4, images=60, dimension=12, classes=3, seed=0):
    """Unbalanced classes; features of unlike scales, with a mean far from zero."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(images) % classes
    labels[torch.rand(images, generator=generator) < 0.3] = 0
    centres = torch.randn(count, classes, dimension, generator=generator)
    noise = torch.randn(count, images, dimension, generator=generator)
    mix = torch.randn(count, dimension, dimension, generator=generator)
    size = torch.logspace(-1, 1, count)[:, None, None]
    return size * (((centres[:, labels] + 0.7 * noise) @ mix).relu() + 3), labels


def by_sklearn(features, labels, weight_decay):
    """Newton's method of sklearn on the same objective, for one set of features."""
    x, y = features.double().numpy(), labels.numpy()
    scale = np.sqrt(np.mean(np.square(x)))
    share = 1 / (len(np.unique(y)) * np.bincount(y)[y])
    two = y.max() == 1  # sklearn keeps the difference of the logits: half the penalty
    model = LogisticRegression(
        C=(2 if two else 1) / weight_decay, solver="newton-cholesky", tol=1e-10
    )
    model.fit((x - x.mean(0)) / scale, y, sample_weight=share)
    weight = np.concatenate([-model.coef_, model.coef_]) / 2 if two else model.coef_
    bias = np.concatenate([-model.intercept_, model.intercept_]) / 2 if two else model.intercept_
    return weight / scale, bias - weight / scale @ x.mean(0)


@pytest.mark.parametrize("dimension", [12, 90])  # fewer and more features than images
@pytest.mark.parametrize("classes", [2, 3])
def test_solution_is_that_of_sklearn(dimension, classes):
    features, labels = problems(dimension=dimension, classes=classes)
    fitted = fit_classifiers(features, labels, num_classes=classes)
    assert fitted.gradient_norm.max() <= 1e-6
    for c in range(len(features)):
        weight, bias = by_sklearn(features[c], labels, WEIGHT_DECAY)
        # a gradient of 1e-6 leaves at most 1e-6 / λ = 5e-5 in weights of features of size 1
        size = features[c].square().mean().sqrt().item()
        np.testing.assert_allclose(fitted.weight[c].numpy() * size, weight * size, atol=5e-5)
        shift = fitted.bias[c].numpy() - bias
        np.testing.assert_allclose(shift - shift.mean(), 0, atol=5e-4)


@pytest.mark.parametrize("classes", [2, 5])
def test_objective_is_that_of_the_head(classes):
    features, labels = problems(count=1, classes=classes)
    ours = fit_classifiers(features, labels, num_classes=classes)
    head = fit_head(features[0], labels, weight_decay=WEIGHT_DECAY)
    # the head is rounded to float32
    np.testing.assert_allclose(ours.weight[0], head.weight, atol=1e-6 * head.weight.abs().max())
    # ours are told to 12 decimals
    assert ours.errors(features, labels).item() == round(head.error(features[0], labels), 12)


def test_a_problem_does_not_depend_on_its_batch():
    features, labels = problems(count=5)
    features[2] = features[2].relu() * 1e-4  # another size, another number of steps
    together = fit_classifiers(features, labels, num_classes=3)
    for c in range(5):
        alone = fit_classifiers(features[c : c + 1], labels, num_classes=3)
        size = together.weight[c].abs().max()
        assert (together.weight[c] - alone.weight[0]).abs().max() < 1e-6 * size
        assert (together.bias[c] - alone.bias[0]).abs().max() < 1e-6 * (1 + alone.bias.abs().max())


def test_weak_penalty_and_separable_classes_converge():
    features, labels = problems(images=30, dimension=80)
    fitted = fit_classifiers(features, labels, num_classes=3, weight_decay=1e-5, tolerance=1e-8)
    assert fitted.gradient_norm.max() <= 1e-8
    assert fitted.errors(features, labels).max() == 0


def test_errors_are_class_balanced_on_other_images():
    features, labels = problems(images=200)
    fitted = fit_classifiers(features[:, :100], labels[:100], num_classes=3)
    guess = (features[1, 100:].double() @ fitted.weight[1].T + fitted.bias[1]).argmax(1)
    wrong = (guess != labels[100:]).numpy()
    expected = np.mean([wrong[labels[100:] == k].mean() for k in range(3)])
    found = fitted.errors(features[:, 100:], labels[100:])
    assert found.shape == (4,) and found[1].item() == round(expected, 12)


def test_the_same_mistakes_in_other_classes_are_the_same_error():
    orders = list(permutations([1, 3, 5]))  # of 7 images of each of 3 classes
    assert len({sum(wrong / 7 for wrong in order) / 3 for order in orders}) > 1  # by rounding
    labels = torch.arange(3).repeat_interleave(7)
    within = torch.arange(7).repeat(3)
    said = torch.stack([(labels + (within < torch.tensor(order)[labels])) % 3 for order in orders])
    reader = torch.eye(3, dtype=torch.float64).expand(len(orders), 3, 3)
    fitted = Classifiers(reader, torch.zeros(len(orders), 3), torch.zeros(len(orders)))
    found = fitted.errors(torch.eye(3)[said], labels)
    assert found.unique().tolist() == [round(9 / 21, 12)]


def test_constant_features_have_the_error_of_chance():
    features, labels = torch.ones(1, 30, 5), torch.arange(30) % 3
    fitted = fit_classifiers(features, labels, num_classes=3)
    assert fitted.errors(features, labels).item() == pytest.approx(2 / 3)


def test_bad_input_is_refused():
    features, labels = problems()
    with pytest.raises(InputError, match="each of 2 or more classes needs images"):
        fit_classifiers(features, labels, num_classes=4)
    features[0, 0, 0] = float("nan")
    with pytest.raises(InputError, match="not finite"):
        fit_classifiers(features, labels, num_classes=3)


@pytest.mark.gpu
def test_gpu_gives_the_same():
    features, labels = problems()
    here = fit_classifiers(features, labels, num_classes=3)
    there = fit_classifiers(features.cuda(), labels, num_classes=3)
    np.testing.assert_allclose(there.weight.cpu(), here.weight, atol=1e-6 * here.weight.abs().max())
