"""What holds for every score of the registry: checks, invariances, the permutation null."""

import numpy as np
import pytest
from scipy.stats import chisquare, ortho_group

from t2v.errors import InputError
from t2v.transferability import SCORES, h_score, linear_probe, nce, parc, permutation_null

OF_FEATURES = [name for name, score in SCORES.items() if score.needs == "features"]
OF_ARRAYS = [name for name, score in SCORES.items() if score.needs != "accuracies"]
# sums in another order, and the tolerances of k-means, EM and L-BFGS
ROUNDING = dict(rel=1e-6, abs=1e-9)


def example(needs, n=90, d=8, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % classes)
    x = rng.normal(size=(n, d))
    x[:, :classes] += 1.5 * np.eye(classes)[y]
    if needs == "source_probabilities":
        x = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    return x, y


@pytest.mark.parametrize("name", OF_ARRAYS)
def test_a_score_is_a_number_and_leaves_its_arrays_alone(name):
    score = SCORES[name]
    x, y = example(score.needs)
    before = x.copy(), y.copy()
    value = score.function(x, y)
    assert isinstance(value, float) and value == score.function(x, y)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])
    words = np.array(["wren", "ant", "moth"])[y]
    if not score.random:
        assert score.function(x, words) == pytest.approx(value, **ROUNDING)
    assert score.function(x.astype(np.float32), y) == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize("name", OF_ARRAYS)
def test_a_score_is_higher_with_signal_than_for_shuffled_labels(name):
    x, y = example(SCORES[name].needs, seed=1)
    plain = {"centred_classes": True} if name == "transrate" else {}  # blind to means without it
    folds = {"folds": 3} if SCORES[name].cross_fitted else {}
    for options in [plain] + [folds] * bool(folds):
        null = permutation_null(SCORES[name].function, x, y, permutations=9, **options)
        assert null.score > null.values.max() and null.p == 1 / 10


@pytest.mark.parametrize("name", OF_FEATURES)
def test_scale_matters_only_where_the_registry_says_so(name):
    score = SCORES[name]
    x, y = example("features")
    value, scaled = score.function(x, y), [score.function(s * x, y) for s in (1e-3, 100)]
    if score.scale_invariant:
        assert scaled == pytest.approx([value, value], **ROUNDING)
    else:
        assert scaled != pytest.approx([value, value], rel=1e-3)


@pytest.mark.parametrize("name", OF_FEATURES)
def test_rotations_and_empty_columns_do_not_matter(name):
    score = SCORES[name].function
    x, y = example("features")
    value = score(x, y)
    assert score(x @ ortho_group.rvs(8, random_state=0), y) == pytest.approx(value, **ROUNDING)
    if name not in ("sfda", "regularised_h_score", "linear_probe"):  # a mean over columns is in it
        assert score(np.pad(x, ((0, 0), (0, 5))), y) == pytest.approx(value, **ROUNDING)


@pytest.mark.parametrize("name", [n for n in OF_ARRAYS if not SCORES[n].random])
def test_the_order_of_images_does_not_matter(name):
    x, y = example(SCORES[name].needs)
    order = np.random.default_rng(3).permutation(len(y))
    value = SCORES[name].function(x, y)
    assert SCORES[name].function(x[order], y[order]) == pytest.approx(value, **ROUNDING)


@pytest.mark.parametrize("name", OF_ARRAYS)
def test_fewer_images_than_stated_are_refused(name):
    score = SCORES[name]
    n = score.min_n(8, 3)
    options = {"folds": 2} if name in ("linear_probe", "nearest_neighbours") else {}
    assert np.isfinite(score.function(*example(score.needs, n=n), **options))
    with pytest.raises(InputError, match="needs|folds"):
        score.function(*example(score.needs, n=n - 1), **options)


@pytest.mark.parametrize("name", OF_ARRAYS)
def test_bad_arrays_are_refused_in_one_line(name):
    score = SCORES[name]
    x, y = example(score.needs)
    hole = x.copy()
    hole[3, 2] = np.nan
    bad = [
        (x[:-1], y, "labels"),
        (x[:, 0], y, score.needs),
        (x, y[:, None], "labels"),
        (hole, y, "not finite in 1 rows"),
        (x, np.zeros(len(y)), "one class only"),
        (x, np.where(y == 0, np.nan, y), "labels"),
        ([["a"]] * len(y), y, "not arrays"),
        (x[:0], y[:0], "expected"),
    ]
    for features, labels, message in bad:
        with pytest.raises(InputError, match=message) as error:
            score.function(features, labels)
        assert "\n" not in str(error.value)
    if score.needs == "features":
        with pytest.raises(InputError, match="the same for all images"):
            score.function(np.ones_like(x), y)
    if score.cross_fitted:
        for folds in (1, 31):
            with pytest.raises(InputError, match="folds"):
                score.function(x, y, folds=folds)


def test_registry_has_a_source_for_each_score():
    assert len(SCORES) == 13
    for name, score in SCORES.items():
        assert score.function.__name__ == name and any(c.isdigit() for c in score.citation)
        assert (score.scale_invariant is None) == (score.needs != "features")
    assert [n for n, s in SCORES.items() if s.set_dependent] == ["static_list"]


@pytest.mark.parametrize("score, needs", [(h_score, "features"), (nce, "source_probabilities")])
def test_p_values_are_uniform_for_labels_that_say_nothing(score, needs):
    p = []
    for seed in range(100):
        x, y = example(needs, n=40, d=6, seed=seed)
        y = np.random.default_rng(seed + 1000).permutation(y)
        p.append(permutation_null(score, x, y, permutations=19, seed=seed).p)
    counts = np.bincount(np.round(np.array(p) * 20).astype(int), minlength=21)[1:]
    assert counts.sum() == 100
    if score is h_score:  # NCE counts, so it has ties: then p is larger, never smaller
        assert chisquare(counts.reshape(5, 4).sum(1)).pvalue > 0.01
    # three standard errors above the level
    assert np.mean(np.array(p) <= 0.1) < 0.1 + 3 * np.sqrt(0.1 * 0.9 / 100)


def test_null_of_options_and_errors():
    x, y = example("features", n=60)
    null = permutation_null(parc, x, y, permutations=5, images=40)
    assert null.score == parc(x, y, images=40) and null.values.shape == (5,)
    assert null.low <= null.median <= null.high
    again = permutation_null(linear_probe, x, y, permutations=3, folds=2)
    assert np.array_equal(
        again.values, permutation_null(linear_probe, x, y, permutations=3, folds=2).values
    )
    with pytest.raises(InputError, match="permutations"):
        permutation_null(parc, x, y, permutations=0)
