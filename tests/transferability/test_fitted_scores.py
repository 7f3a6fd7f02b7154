"""N-LEEP, TransRate, SFDA and the held-out baselines."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from t2v.errors import InputError
from t2v.experts.linear_classifiers import fit_classifiers
from t2v.transferability import (
    held_out_predictions,
    linear_probe,
    n_leep,
    nearest_neighbours,
    sfda,
    transrate,
)
from t2v.transferability.registry import parts


def draw(n, d, classes=4, seed=0, signal=1.5):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % classes)
    features = rng.normal(size=(n, d))
    features[:, :classes] += signal * np.eye(classes)[y]
    return features, y


def test_n_leep_lies_between_chance_and_knowing_all():
    features, y = draw(400, 8, signal=0)
    # one component says nothing about the class
    assert n_leep(features, y, components=1) == pytest.approx(-np.log(4), rel=1e-9)
    clear, y = draw(400, 4, signal=40)
    assert n_leep(clear, y) == pytest.approx(0, abs=1e-6)
    assert n_leep(clear, y, folds=4) > -0.1  # one image of average class stays in each component
    assert n_leep(features, y, seed=1) != n_leep(features, y, seed=2)


def test_cross_fitted_n_leep_does_not_read_noise_as_signal():
    features, y = draw(300, 20, classes=10, signal=0)
    chance = -np.log(10)
    assert n_leep(features, y, components=60) > chance + 0.8
    assert n_leep(features, y, components=60, folds=5) < chance


def test_transrate_by_determinants():
    features, y = draw(60, 90)
    y[:10] = 0  # classes of different sizes

    def rate(x):
        return np.linalg.slogdet(np.eye(90) + x.T @ x / (len(x) * 0.01))[1] / 2

    x = features - features.mean(0)
    value = rate(x) - sum((y == c).mean() * rate(x[y == c]) for c in range(4))
    plain = transrate(features, y, eps=0.01, scaled=False)
    assert plain == pytest.approx(value, rel=1e-9)
    scale = np.sqrt(np.trace(np.cov(features.T, bias=True)))
    scaled = transrate(features / scale, y, eps=0.01, scaled=False)
    assert transrate(features, y, eps=0.01) == pytest.approx(scaled, rel=1e-9)
    centred = value + sum(
        (y == c).mean() * (rate(x[y == c]) - rate(x[y == c] - x[y == c].mean(0))) for c in range(4)
    )
    own = transrate(features, y, eps=0.01, scaled=False, centred_classes=True)
    assert own == pytest.approx(centred, rel=1e-9)
    with pytest.raises(InputError, match="eps"):
        transrate(features, y, eps=0)


def test_transrate_as_published_does_not_see_classes_that_mirror_each_other():
    half = draw(50, 6)[0] + 10
    features, y = np.concatenate([half, -half]), np.repeat([0, 1], 50)
    assert linear_probe(features, y) == 1
    assert transrate(features, y) == pytest.approx(0, abs=1e-9)
    assert transrate(features, y, centred_classes=True) > 1


@pytest.mark.parametrize("size", [1.0, 0.1], ids=["hardly shrunk", "shrunk"])
def test_sfda_with_the_discriminant_of_sklearn(size):
    features, y = draw(150, 10)
    features = size * features
    within = sum((y == c).mean() * np.cov(features[y == c].T, bias=True) for c in range(4))
    shrinkage = max(np.exp(-5 * np.linalg.eigvalsh(within)[-1]), 1e-10)
    first = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=float(shrinkage))
    soft = softmax(first.fit(features, y).predict_proba(features), axis=1)
    means = np.stack([features[y == c].mean(0) for c in range(4)])
    mixed = features.copy()
    for i, c in enumerate(y):
        others = np.delete(means, c, 0).mean(0)
        mixed[i] = soft[i, c] * features[i] + (1 - soft[i, c]) * others
    second = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=float(shrinkage))
    value = second.fit(mixed, y).predict_proba(mixed)[np.arange(150), y].mean()
    # lsqr and Cholesky differ by rounding times the condition number, below 100 here
    assert sfda(features, y) == pytest.approx(value, rel=1e-9)


def test_cross_fitted_sfda_does_not_read_noise_as_signal():
    features, y = draw(200, 100, classes=5, signal=0)
    assert sfda(features, y) > 0.5
    assert sfda(features, y, folds=5) == pytest.approx(0.2, abs=0.06)  # two standard errors
    with pytest.raises(InputError, match="SFDA needs"):
        sfda(*draw(100, 120))
    assert 0.25 < sfda(*draw(100, 120), folds=5) < 1


def test_linear_probe_has_the_classifier_of_the_experts():
    """Same objective as the error matrix, solved by other code."""
    features, y = draw(120, 20)
    predicted = held_out_predictions(features, y, folds=3)
    for fit, held_out in parts(y, 3, 0):
        x = torch.from_numpy(features)
        [classifier] = fit_classifiers(x[None, fit], torch.from_numpy(y[fit]), num_classes=4).weight
        bias = fit_classifiers(x[None, fit], torch.from_numpy(y[fit]), num_classes=4).bias[0]
        expected = (x[held_out] @ classifier.T + bias).argmax(1)
        # the two stop at gradients of 1e-6 and 1e-5: a tie within that could fall either way
        assert (predicted[held_out] == expected.numpy()).mean() >= 0.97


def test_baselines_tell_signal_from_noise():
    clear, y = draw(200, 10, signal=12)
    assert linear_probe(clear, y) == 1
    noise, y = draw(400, 10, signal=0)
    for score in (linear_probe, nearest_neighbours):
        # three standard errors of a share of 1/4 of 400 images
        assert score(noise, y) == pytest.approx(0.25, abs=3 * np.sqrt(0.25 * 0.75 / 400))


def test_neighbours_see_what_a_line_cannot_separate():
    angle = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    features = np.column_stack([np.cos(angle), np.sin(angle)])
    y = (angle // (np.pi / 4) % 2).astype(int)  # eight sectors, in turns
    assert nearest_neighbours(features, y) > 0.93  # all but the edges of sectors
    assert linear_probe(features, y) < 0.65


def test_predictions_of_two_experts_are_on_the_same_parts():
    features, y = draw(60, 6)
    words = np.array(["ant", "bee", "cat", "dog"])[y]
    np.testing.assert_array_equal(
        held_out_predictions(features, words), held_out_predictions(3 * features, y)
    )
    for bad in ({"classifier": "tree"}, {"folds": 16}, {"folds": 1}, {"weight_decay": 0}):
        with pytest.raises(InputError, match=next(iter(bad))):
            held_out_predictions(features, y, **bad)
