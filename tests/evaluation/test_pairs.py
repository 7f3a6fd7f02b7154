"""Agreement over pairs that share items: values by scipy, and how often a test is wrong."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr

from t2v.errors import InputError
from t2v.evaluation.pairs import agreement_difference, pair_agreement

FEW = {"resamples": 99}


def distances(rng, items=12, dimensions=2):
    return squareform(pdist(rng.normal(size=(items, dimensions))))


def test_the_value_is_spearmans_over_the_pairs_that_count():
    rng = np.random.default_rng(0)
    x, y = distances(rng), distances(rng)
    i, j = np.triu_indices(12, 1)
    assert pair_agreement(x, y, **FEW).value == pytest.approx(spearmanr(x[i, j], y[i, j])[0])
    use = rng.random((12, 12)) < 0.6
    use = use & use.T
    chosen = use[i, j]
    by_scipy = spearmanr(x[i, j][chosen], y[i, j][chosen])[0]
    assert pair_agreement(x, y, use, **FEW).value == pytest.approx(by_scipy)


def test_neither_the_diagonal_nor_the_names_nor_the_scale_of_ranks_matter():
    rng = np.random.default_rng(1)
    x, y = distances(rng), distances(rng)
    found = pair_agreement(x, y, **FEW)
    order = rng.permutation(12)
    renamed = pair_agreement(x[order][:, order], y[order][:, order], **FEW)
    assert renamed.value == pytest.approx(found.value)
    np.testing.assert_array_equal(pair_agreement(x + np.eye(12), y**3, **FEW).drawn, found.drawn)
    assert pair_agreement(x, x**3, **FEW)[:4] == pytest.approx((1, 1, 1, 0.01))


def test_a_resample_is_that_of_the_items_drawn_without_pairs_of_an_item_with_itself():
    rng = np.random.default_rng(2)
    x, y = distances(rng, 7), distances(rng, 7)
    drawn = pair_agreement(x, y, resamples=20, seed=3).drawn
    items = np.random.default_rng(3).integers(7, size=(20, 7))
    for row, value in zip(items, drawn, strict=True):
        pairs = [(a, b) for n, a in enumerate(row) for b in row[n + 1 :] if a != b]
        by_loop = spearmanr([x[p] for p in pairs], [y[p] for p in pairs])[0]
        assert value == pytest.approx(by_loop)


def test_the_permutation_test_is_wrong_as_often_as_it_says_though_pairs_share_items():
    rng = np.random.default_rng(4)
    i, j = np.triu_indices(10, 1)
    by_items, by_pairs = [], []
    for seed in range(200):
        effects = rng.normal(size=(2, 10))  # of an item, on all of its pairs
        x, y = effects[:, :, None] + effects[:, None, :]
        by_items.append(pair_agreement(x, y, seed=seed, **FEW).p)
        by_pairs.append(spearmanr(x[i, j], y[i, j])[1])
    # binomial: 0.05 ± three standard deviations of 0.015
    assert np.mean(np.array(by_items) <= 0.05) < 0.1
    assert np.mean(np.array(by_pairs) <= 0.05) > 0.15  # what ignoring it would do


def test_a_difference_is_between_the_same_resamples():
    rng = np.random.default_rng(5)
    x, y, z = (distances(rng) for _ in range(3))
    near = x + 0.1 * y
    found = agreement_difference(pair_agreement(x, near, **FEW), pair_agreement(x, z, **FEW))
    assert found.value > found.low > 0
    same = agreement_difference(pair_agreement(x, y, **FEW), pair_agreement(x, 2 * y, **FEW))
    assert same == pytest.approx((0, 0, 0))
    with pytest.raises(InputError, match="different numbers of resamples"):
        agreement_difference(pair_agreement(x, y, **FEW), pair_agreement(x, y, resamples=9))


def test_what_is_no_measure_of_pairs_is_refused():
    rng = np.random.default_rng(6)
    x = distances(rng, 4)
    with pytest.raises(InputError, match="one shape"):
        pair_agreement(x, distances(rng, 5))
    with pytest.raises(InputError, match="not symmetric"):
        pair_agreement(x, np.triu(x))
    with pytest.raises(InputError, match="not finite"):
        pair_agreement(x, np.where(x > 0, x, np.nan))
    with pytest.raises(InputError, match="2 pairs; at least three"):
        pair_agreement(x, x, np.isin(x, x[0, 1:3]))
