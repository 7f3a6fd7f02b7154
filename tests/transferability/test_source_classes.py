"""LEEP and NCE by their definitions, their bounds, and the cross-fitted forms."""

from collections import Counter
from math import log

import numpy as np
import pytest

from t2v.errors import InputError
from t2v.transferability import leep, nce

EXACT = dict(rel=1e-12)  # float64, sums of at most a few hundred terms


def draw(seed, n=120, source=15, classes=4, informative=True):
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    logits = rng.normal(size=(n, source))
    if informative:
        logits[:, :classes] += 2 * np.eye(classes)[labels]
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True), labels


def entropy(labels):
    shares = np.bincount(labels) / len(labels)
    return -(shares[shares > 0] * np.log(shares[shares > 0])).sum()


def test_leep_by_hand():
    theta = [[3 / 4, 1 / 4], [3 / 4, 1 / 4], [1 / 4, 3 / 4], [1 / 4, 3 / 4]]
    # P(a|0) = 7/8, P(b|0) = 1/8, P(a|1) = 5/8, P(b|1) = 3/8
    value = (2 * log(26 / 32) + log(22 / 32) + log(10 / 32)) / 4
    assert leep(theta, ["a", "a", "a", "b"]) == pytest.approx(value, **EXACT)


@pytest.mark.parametrize("seed", range(5))
def test_leep_is_one_step_of_em_and_below_the_best_table(seed):
    """The log-likelihood of P(y|z) is concave, and EM climbs it from the class frequencies."""
    theta, y = draw(seed)
    table = np.repeat((np.bincount(y) / len(y))[:, None], theta.shape[1], 1)
    path = []
    for _ in range(400):
        joint = table[y] * theta  # [N, Z]
        share = joint / joint.sum(1, keepdims=True)
        path.append(np.log(joint.sum(1)).mean())
        counts = np.stack([share[y == c].sum(0) for c in range(y.max() + 1)])
        table = counts / counts.sum(0)
    assert path[0] == pytest.approx(-entropy(y), **EXACT)
    assert path[1] == pytest.approx(leep(theta, y), **EXACT)
    assert path[0] < leep(theta, y) < path[-1] <= 0


def test_leep_of_a_head_that_knows_all_or_nothing():
    y = np.array([0, 0, 0, 1, 1, 2])
    assert leep(np.eye(5)[y], y) == 0  # two source classes never occur
    assert leep(np.full((6, 7), 1 / 7), y) == pytest.approx(-entropy(y), **EXACT)
    assert nce(np.full((6, 7), 1 / 7), y) == pytest.approx(-entropy(y), **EXACT)


@pytest.mark.parametrize("seed", range(3))
def test_nce_by_counting_and_as_leep_of_hard_predictions(seed):
    theta, y = draw(seed)
    z = theta.argmax(1)
    pairs, firsts = Counter(zip(y, z, strict=True)), Counter(z)
    value = sum(n * log(n / firsts[source]) for (_, source), n in pairs.items()) / len(y)
    assert nce(theta, y) == pytest.approx(value, **EXACT)
    assert leep(np.eye(theta.shape[1])[z], y) == pytest.approx(value, **EXACT)
    assert -entropy(y) <= value <= 0


def test_cross_fitted_forms_do_not_read_noise_as_signal():
    gains = []
    for seed in range(5):
        theta, y = draw(seed, n=200, source=100, informative=False)
        chance = -entropy(y)
        assert nce(theta, y) > chance + 0.2  # few images for each source class
        assert nce(theta, y, folds=5) < chance
        gains.append([leep(theta, y) - chance, leep(theta, y, folds=5) - chance])
    # soft predictions of 100 classes overfit little; what is left does not differ from nothing
    assert np.min(gains, 0)[0] > 0 and np.mean(gains, 0)[1] < 0.1 * np.mean(gains, 0)[0]
    theta, y = draw(0, n=400)
    assert -entropy(y) < leep(theta, y, folds=5) < leep(theta, y)


def test_cross_fitted_leep_by_loops():
    """Two folds of a symmetric set: whichever way it is cut, the parts have the same rows."""
    theta = np.array([[0.8, 0.2]] * 4 + [[0.3, 0.7]] * 4)
    y = np.repeat([0, 1], 4)
    # training part: two rows of each class, and one image more of average class for each z
    table = [[(1.6 + 0.5) / (2.2 + 1), (0.4 + 0.5) / (1.8 + 1)]]
    table.append([1 - table[0][0], 1 - table[0][1]])
    value = (
        sum(
            log(sum(t * p for t, p in zip(row, table[c], strict=True)))
            for row, c in zip(theta, y, strict=True)
        )
        / 8
    )
    assert leep(theta, y, folds=2) == pytest.approx(value, **EXACT)


def test_logits_are_refused():
    logits = np.log(draw(0)[0])
    with pytest.raises(InputError, match="apply softmax to logits"):
        leep(logits, draw(0)[1])
    with pytest.raises(InputError, match="sum to one"):
        nce(2 * draw(0)[0], draw(0)[1])
