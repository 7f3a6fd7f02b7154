"""LogME against the exact Gaussian evidence, maximised by scipy."""

import numpy as np
import pytest
from scipy.linalg import null_space
from scipy.optimize import minimize
from sklearn.datasets import load_iris

from t2v.transferability import logme

# the maximum is flat: an error e of its place changes its value by e squared
MAXIMUM = dict(abs=1e-8)


def draw(n, d, rank=None, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % classes)
    features = rng.normal(size=(n, d))
    features[:, :classes] += 1.5 * np.eye(classes)[y]
    if rank is not None:
        features = features[:, :rank] @ rng.normal(size=(rank, d))
    return features, y


def exact(features, targets):
    """Greatest log density of the targets, per image, over both precisions."""
    n = len(features)

    def loss(logs, target):
        alpha, beta = np.exp(np.clip(logs, -20, 20))
        covariance = np.eye(n) / beta + gram / alpha
        square = target @ np.linalg.solve(covariance, target)
        return (square + np.linalg.slogdet(covariance)[1] + n * np.log(2 * np.pi)) / 2

    gram = features @ features.T
    options = {"xatol": 1e-6, "fatol": 1e-11}
    values = []
    for target in targets.T:
        starts = [(0.0, 2.0), (6.0, 2.0)]
        found = [minimize(loss, s, (target,), "Nelder-Mead", options=options) for s in starts]
        values.append(-min(f.fun for f in found) / n)
    return np.mean(values)


@pytest.mark.parametrize(
    "shape", [(40, 8), (24, 24), (20, 60), (30, 40, 6)], ids=["N>D", "N=D", "N<D", "low rank"]
)
def test_logme_is_the_greatest_exact_evidence(shape):
    features, y = draw(*shape)
    assert logme(features, y) == pytest.approx(exact(features, np.eye(2)[y]), **MAXIMUM)


@pytest.mark.parametrize("shape", [(40, 8), (20, 60)], ids=["N>D", "N<D"])
def test_centred_logme_is_the_evidence_of_contrasts(shape):
    features, y = draw(*shape)
    features += 3  # an offset, which contrasts do not see
    contrasts = null_space(np.ones((1, len(y)))).T  # [N - 1, N], orthonormal
    value = exact(contrasts @ features, contrasts @ np.eye(2)[y])
    assert logme(features, y, centred=True) == pytest.approx(value, **MAXIMUM)


def test_power_of_the_prior_is_the_rank_not_the_number_of_columns():
    """Columns of zeros carry nothing; with D for the rank they would change the value."""
    features, y = draw(40, 10)
    wide = np.pad(features, ((0, 0), (0, 500)))
    assert logme(wide, y) == pytest.approx(logme(features, y), rel=1e-9)


def test_logme_of_iris_as_printed_by_others():
    features, y = load_iris(return_X_y=True)
    # transformer-ranker, tests/estimators; its features are in single precision
    assert logme(features, y) == pytest.approx(-0.160060220, abs=5e-8)


def test_features_that_reproduce_the_labels_give_a_finite_value():
    y = np.arange(40) % 4
    assert np.isfinite(logme(np.eye(4)[y], y))
    assert logme(np.eye(4)[y], y) > logme(*draw(40, 10))
