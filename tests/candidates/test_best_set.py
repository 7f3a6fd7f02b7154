"""Which networks may be the best: coverage by simulation, limits in closed form."""

import numpy as np
import pytest
from scipy import stats

from t2v.candidates.best_set import balanced_interval, best_set
from t2v.errors import InputError


def drawn(rates, labels, rng, common=0.5):
    """Mistakes of networks that share a part of what makes an image hard."""
    shared = rng.standard_normal(len(labels))
    own = rng.standard_normal((len(rates), len(labels)))
    hard = stats.norm.cdf(np.sqrt(common) * shared + np.sqrt(1 - common) * own)
    return hard < np.asarray(rates)[:, None]


@pytest.mark.parametrize("rates", [(0.2,) * 5, (0.2, 0.25, 0.3, 0.4), (0.05, 0.06)])
def test_the_best_one_is_in_the_set_as_often_as_promised(rates):
    rng, labels = np.random.default_rng(0), np.arange(120) % 4
    trials = 150
    hits = sum(
        best_set(drawn(rates, labels, rng), labels, resamples=300, seed=t).inside[0]
        for t in range(trials)
    )
    # promised 95%; three standard deviations of a share of 150 are 5%
    assert hits / trials > 0.90


def test_a_clearly_worse_network_is_outside_and_the_others_stay():
    rng, labels = np.random.default_rng(1), np.arange(600) % 3
    found = best_set(drawn((0.1, 0.1, 0.4), labels, rng), labels)
    assert found.inside.tolist() == [True, True, False]
    assert found.p_best[2] == 0 and found.p_best.sum() == pytest.approx(1)


def test_errors_are_balanced_and_ties_are_shared():
    labels = np.array([0] * 8 + [1] * 2)
    wrong = np.zeros((2, 10), dtype=bool)
    wrong[:, 8] = True  # one of two in the small class: 25%, not 10%
    found = best_set(wrong, labels)
    assert found.errors.tolist() == [0.25, 0.25]
    assert found.p_best.tolist() == [0.5, 0.5] and found.inside.all()


def test_few_images_that_agree_decide_nothing():
    labels = np.array([0, 0, 1, 1])
    wrong = np.array([[False] * 4, [True, False, False, False]])
    assert best_set(wrong, labels).inside.all()


def test_the_interval_is_wilsons_for_equal_classes():
    for mistakes in (0, 3, 40):
        value, low, high = balanced_interval(mistakes / 40, [20, 20])
        expected = stats.binomtest(mistakes, 40).proportion_ci(method="wilson")
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
        assert low <= value <= high


def test_unequal_classes_have_the_variance_of_their_mean():
    sizes = np.array([10, 40])
    n = 4 / (1 / sizes).sum()  # variance p(1-p) (1/10 + 1/40) / 4 is p(1-p) / n
    value, low, high = balanced_interval(0.3, sizes)
    expected = stats.norm.ppf(0.975) * np.sqrt(0.3 * 0.7 * (1 / 10 + 1 / 40) / 4)
    assert n == pytest.approx(32) and (high - low) / 2 == pytest.approx(expected, rel=0.06)


def test_shapes_are_checked():
    with pytest.raises(InputError, match=r"\[M, N\]"):
        best_set(np.zeros((2, 3)), np.zeros(4))
