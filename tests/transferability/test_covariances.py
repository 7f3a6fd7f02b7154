"""H-scores by other algebra, their null, published values, and the held-out forms."""

import numpy as np
import pytest
from scipy.stats import kstest
from sklearn.covariance import ledoit_wolf
from sklearn.datasets import load_iris
from sklearn.model_selection import StratifiedKFold

from t2v.errors import InputError
from t2v.transferability import h_score, permutation_null, pillai_test, regularised_h_score

SOLVED = dict(rel=1e-9)  # float64; covariances of condition number up to 1e5


def draw(n, d, classes=4, seed=0, signal=1.0):
    """Correlated features: a score that needs a diagonal covariance fails on them."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    features = rng.normal(size=(n, d))
    features[:, :classes] += signal * np.eye(classes)[y]
    return features @ rng.normal(size=(d, d)), y


def between(features, y):
    means = np.stack([features[y == c].mean(0) for c in y])
    return np.cov(means.T, bias=True)


def test_h_score_by_solving_with_the_covariance():
    features, y = draw(200, 20)
    value = np.trace(np.linalg.solve(np.cov(features.T, bias=True), between(features, y)))
    assert h_score(features, y) == pytest.approx(value, **SOLVED)
    assert 0 < value < 3


@pytest.mark.parametrize("shape", [(200, 20), (60, 150)], ids=["N>D", "N<D"])
def test_regularised_h_score_by_solving_with_the_shrunk_covariance(shape):
    features, y = draw(*shape)
    shrunk, a = ledoit_wolf(features)
    value = (1 - a) * np.trace(np.linalg.solve(shrunk, between(features, y)))
    assert regularised_h_score(features, y) == pytest.approx(value, **SOLVED)


def test_regularised_h_score_of_iris_as_printed_by_others():
    features, y = load_iris(return_X_y=True)
    # transformer-ranker, tests/estimators: N - 1 below the class means, features in float32
    printed = 1.177842480406727 * 149 / 150
    assert regularised_h_score(features, y) == pytest.approx(printed, abs=5e-8)


def test_shuffled_labels_reach_the_chance_level_of_pillais_trace():
    features, y = draw(120, 15)
    test = pillai_test(features, y)
    assert test.chance == pytest.approx(3 * 15 / 119)
    null = permutation_null(h_score, features, y, permutations=400).values
    assert abs(null.mean() - test.chance) < 4 * null.std() / np.sqrt(len(null))
    assert test.score == h_score(features, y) > null.max() and test.p < 1e-5


def test_p_values_of_pillais_test_are_uniform_without_signal():
    p = [pillai_test(*draw(80, 6, seed=seed, signal=0)).p for seed in range(300)]
    assert kstest(p, "uniform").pvalue > 0.01  # fixed seeds; the F-test is approximate


def test_as_many_dimensions_as_images_are_refused():
    rng = np.random.default_rng(0)
    y = np.arange(30) % 3
    for d in (30, 29):
        with pytest.raises(InputError, match="needs"):
            h_score(rng.normal(size=(30, d)), y)
    # at the limit, with 28 dimensions for 30 images, nearly everything is explained
    assert h_score(rng.normal(size=(30, 28)), y) == pytest.approx(2, abs=0.2)
    with pytest.raises(InputError, match="fit any labels"):
        h_score(rng.normal(size=(30, 28)), y, folds=3)
    with pytest.raises(InputError, match="Pillai"):
        pillai_test(rng.normal(size=(30, 28)), y)


def test_held_out_h_score_by_least_squares():
    features, y = draw(90, 8)
    gains = []
    for fit, test in StratifiedKFold(3, shuffle=True, random_state=5).split(features, y):
        p = np.bincount(y[fit]) / len(fit)
        z = (np.eye(4)[y] - p) / np.sqrt(p)
        design = np.column_stack([np.ones(90), features])
        fitted = design @ np.linalg.lstsq(design[fit], z[fit], rcond=None)[0]
        gains.extend((z[test] ** 2 - (z[test] - fitted[test]) ** 2).sum(1))
    assert h_score(features, y, folds=3, seed=5) == pytest.approx(np.mean(gains), **SOLVED)


def test_held_out_forms_do_not_read_noise_as_signal():
    for seed in range(3):
        features, y = draw(120, 60, seed=seed, signal=0)
        assert h_score(features, y) > 1 and regularised_h_score(features, y) > 0.5
        assert h_score(features, y, folds=5) < 0
        assert regularised_h_score(features, y, folds=5) < 0.05
    features, y = draw(300, 20, signal=2)
    for score in (h_score, regularised_h_score):
        assert 1 < score(features, y, folds=5) < score(features, y) < 3
