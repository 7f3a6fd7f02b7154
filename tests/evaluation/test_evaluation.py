"""Evaluation: by hand, by brute force and by simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from t2v import evaluation as ev
from t2v.errors import InputError

ERRORS = np.array([[0.10, 0.20, 0.40], [0.30, 0.15, 0.20], [0.50, 0.60, 0.25]])
NOT_OWN = ~np.eye(3, dtype=bool)


def test_relative_error_increase_by_hand():
    # 0.2/0.1 - 1 = 1, 0.15/0.15 - 1 = 0, 0.5/0.25 - 1 = 1
    assert ev.relative_error_increase(ERRORS, [1, 1, 0]) == pytest.approx(2 / 3)
    # without the own expert the minima are 0.2, 0.2, 0.5
    assert ev.relative_error_increase(ERRORS, [2, 0, 1], NOT_OWN) == pytest.approx(
        (0.4 / 0.2 + 0.3 / 0.2 + 0.6 / 0.5) / 3 - 1
    )


def test_the_measure_is_a_mean_of_ratios_not_a_ratio_of_means():
    errors = np.array([[0.01, 0.02], [0.50, 0.50]])
    assert ev.relative_error_increase(errors, [1, 1]) == pytest.approx(0.5)
    of_means = ev.relative_error_increase(errors.mean(0, keepdims=True), [1])
    assert of_means == pytest.approx(0.0196, abs=1e-4)


def test_chance_is_the_mean_over_all_picks():
    ours = ev.relative_increases(ev.mean_errors(ERRORS, NOT_OWN), ERRORS, NOT_OWN).mean()
    picks = itertools.product(*[np.flatnonzero(row) for row in NOT_OWN])
    every = [ev.relative_error_increase(ERRORS, list(p), NOT_OWN) for p in picks]
    assert ours == pytest.approx(np.mean(every))


@given(st.integers(0, 10**6), st.integers(2, 8), st.integers(2, 8))
def test_nobody_beats_the_optimum_and_columns_can_be_named_anew(seed, tasks, experts):
    rng = np.random.default_rng(seed)
    errors = rng.uniform(0.01, 1, (tasks, experts))
    picks = rng.integers(0, experts, tasks)
    value = ev.relative_error_increase(errors, picks)
    assert value >= 0
    assert ev.relative_error_increase(errors, errors.argmin(1)) == 0
    order = rng.permutation(experts)
    assert ev.relative_error_increase(errors[:, order], np.argsort(order)[picks]) == value
    assert ev.relative_error_increase(errors / 2, picks) == pytest.approx(value)


def test_an_expert_outside_the_matrix_can_be_better_than_the_best():
    assert ev.relative_increases([0.05, 0.15, 0.5], ERRORS).tolist() == pytest.approx([-0.5, 0, 1])


def test_an_optimum_of_zero_is_refused_or_given_a_floor():
    errors = np.array([[0.0, 0.1], [0.2, 0.1]])
    with pytest.raises(InputError, match="task 0 is 0"):
        ev.relative_error_increase(errors, [1, 1])
    # half a test image of 50: 0.01
    assert ev.relative_error_increase(errors, [1, 1], floor=0.01) == pytest.approx(9 / 2)
    assert ev.relative_error_increase(errors, [0, 1], floor=[0.01, 0.001]) == 0


def test_ineligible_cells_may_be_anything():
    errors = ERRORS.copy()
    np.fill_diagonal(errors, np.nan)
    assert ev.best_errors(errors, NOT_OWN).tolist() == [0.2, 0.2, 0.5]
    assert ev.mean_errors(errors, NOT_OWN).tolist() == pytest.approx([0.3, 0.25, 0.55])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ev.best_errors(ERRORS * 100), ["10 is not a share", "per cent"]),
        (lambda: ev.best_errors(ERRORS[0]), ["[tasks, experts]"]),
        (lambda: ev.best_errors(ERRORS, ERRORS), ["bool"]),
        (lambda: ev.best_errors(ERRORS, ERRORS > 0.45), ["no expert for task 0"]),
        (lambda: ev.relative_error_increase(ERRORS, [0, 1, 2], NOT_OWN), ["expert 0", "task 0"]),
        (lambda: ev.relative_error_increase(ERRORS, [0, 1, 3]), ["expert 3", "task 2"]),
        (lambda: ev.relative_error_increase(ERRORS, [0, -1, 1]), ["expert -1"]),
        (lambda: ev.relative_error_increase(ERRORS, [0.0, 1.0, 1.0]), ["whole numbers"]),
        (lambda: ev.relative_increases([1, 2, 3], ERRORS), ["chosen"]),
        (lambda: ev.task_blind_picks(ERRORS[:1]), ["two tasks"]),
        (lambda: ev.bootstrap([1.0]), ["two tasks"]),
        (lambda: ev.bootstrap([1.0, np.nan]), ["finite"]),
        (lambda: ev.bootstrap(([1, 2], [1, 2, 3])), ["one length"]),
        (lambda: ev.mean_interval([1.0]), ["two numbers"]),
        (lambda: ev.same_group_rate(np.zeros((2, 2)), "ab"), ["no task"]),
        (lambda: ev.same_group_rate(np.zeros((2, 3)), "ab"), ["(2, 2)", "(2, 3)"]),
        (lambda: ev.taxonomic_curve(np.zeros((3, 3)), np.zeros((3, 3)), [3]), ["1 to 2"]),
        (lambda: ev.hubs(np.zeros((3, 3)), k=3), ["k=3"]),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(InputError) as raised:
        call()
    for word in words:
        assert word in str(raised.value)


def test_rank_of_pick_counts_better_experts():
    errors = np.array([[0.1, 0.2, 0.2, 0.3]] * 3)
    assert ev.rank_of_pick(errors, [0, 2, 3]).tolist() == [1, 2, 4]
    eligible = np.array([[False, True, True, True]] * 3)
    assert ev.rank_of_pick(errors, [1, 2, 3], eligible).tolist() == [1, 1, 3]


def test_task_blind_never_sees_its_own_row():
    rng = np.random.default_rng(0)
    errors = rng.uniform(0.1, 0.9, (8, 6))
    picks = ev.task_blind_picks(errors)
    for t in range(8):
        rest = np.delete(errors, t, axis=0)
        assert picks[t] == rest.mean(axis=0).argmin()
        poisoned = errors.copy()
        poisoned[t] = rng.permutation(6) / 6
        assert ev.task_blind_picks(poisoned)[t] == picks[t]
    eligible = np.ones((8, 6), bool)
    eligible[:, picks[0]] = False
    assert picks[0] not in ev.task_blind_picks(errors, eligible)


def test_nearest_eligible_skips_the_others():
    distance = np.array([[0.0, 0.2, 0.1], [0.3, 0.0, 0.2]])
    assert ev.nearest_eligible(distance).tolist() == [0, 1]
    assert ev.nearest_eligible(distance, distance > 0).tolist() == [2, 2]


def test_bootstrap_interval_is_near_the_exact_one():
    values = np.random.default_rng(1).normal(3, 2, 400)
    got = ev.bootstrap(values)
    half = stats.norm.ppf(0.975) * values.std(ddof=1) / 20
    assert got.value == values.mean()
    # Monte Carlo error of a 2.5% quantile from 9,999 resamples: about 2% of the half width
    assert got.low == pytest.approx(values.mean() - half, abs=0.08 * half)
    assert got.high == pytest.approx(values.mean() + half, abs=0.08 * half)
    assert ev.bootstrap(values) == got != ev.bootstrap(values, seed=1)
    wide = ev.bootstrap(values, level=0.99, method="percentile")
    assert wide.low < got.low and wide.high > got.high


def test_bca_covers_a_skewed_mean_better_than_nothing():
    rng = np.random.default_rng(2)
    covered = [
        low <= 1 <= high
        for _, low, high in (
            ev.bootstrap(rng.exponential(size=50), resamples=999, seed=s) for s in range(300)
        )
    ]
    # nominal 95%; binomial sd at 300 draws 1.3%, BCa on n = 50 exponentials is a little short
    assert 0.89 <= np.mean(covered) <= 0.985


def test_bootstrap_of_several_arrays_keeps_tasks_together():
    x = np.random.default_rng(3).uniform(1, 2, 30)
    ratio = ev.bootstrap((x, 2 * x), lambda a, b: b.sum() / a.sum())
    assert ratio.value == pytest.approx(2)
    assert ratio.high - ratio.low < 1e-12
    assert ev.bootstrap(np.ones(5)) == (1, 1, 1)


def test_mean_interval_is_students():
    values = [1.0, 2.0, 4.0, 5.0, 9.0]
    wanted = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    got = ev.mean_interval(values)
    assert (got.low, got.high) == pytest.approx(tuple(wanted))


def test_spearman_interval_covers_and_agrees_with_scipy():
    rng = np.random.default_rng(4)
    x = rng.normal(size=60)
    y = x + rng.normal(size=60)
    got = ev.spearman_interval(x, y)
    assert got.value == pytest.approx(stats.spearmanr(x, y).statistic)
    # Fisher's z with Bonett & Wright's variance (2000): another method, same interval
    half = 1.96 * np.sqrt((1 + got.value**2 / 2) / 57)
    assert got.low == pytest.approx(np.tanh(np.arctanh(got.value) - half), abs=0.06)
    assert got.high == pytest.approx(np.tanh(np.arctanh(got.value) + half), abs=0.06)


def test_paired_test_is_exact_for_few_tasks():
    first, second = np.array([0.1, 0.2, 0.1, 0.4, 0.3]), np.array([0.3, 0.3, 0.1, 0.9, 0.8])
    got = ev.paired_test(first, second)
    signs = np.array(list(itertools.product([-1, 1], repeat=5)))
    means = (signs * np.abs(first - second)).mean(axis=1)
    observed = (first - second).mean()
    wanted = np.mean(np.abs(means) >= abs(observed) - 1e-12)
    assert got.permutation_p == pytest.approx(wanted)
    assert (got.first_better, got.equal, got.second_better) == (4, 1, 0)
    assert got.difference.value == pytest.approx(observed)
    assert got.wilcoxon_p == stats.wilcoxon(first - second).pvalue
    assert ev.paired_test(first, first)[1:] == (1.0, 1.0, 0, 5, 0)


def test_same_group_rate_by_hand():
    distance = np.array([[0, 1, 2, 3], [1, 0, 2, 3], [5, 4, 0, 3], [1, 2, 3, 0.0]])
    rate = ev.same_group_rate(distance, ["a", "a", "b", "b"])
    assert rate.rate == 0.75 and rate.hits.tolist() == [1, 1, 1, 0]
    assert rate.chance == pytest.approx(1 / 3)
    alone = ev.same_group_rate(distance, ["a", "a", "b", "c"])
    assert alone.possible.tolist() == [True, True, False, False] and alone.rate == 1


def test_equally_near_tasks_share_the_hit():
    distance = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0.0]])
    assert ev.same_group_rate(distance, ["a", "a", "b"]).hits.tolist() == [0.5, 0.5]


def test_chance_level_is_what_random_distances_give():
    rng = np.random.default_rng(5)
    groups = rng.choice(list("aabbbc"), 30)
    expected = ev.same_group_rate(np.ones((30, 30)), groups).chance
    drawn = [ev.same_group_rate(rng.random((30, 30)), groups).rate for _ in range(400)]
    # three standard errors of the mean of 400 draws
    assert np.mean(drawn) == pytest.approx(expected, abs=3 * np.std(drawn) / 20)
    # all distances equal: no draw needed
    assert ev.same_group_rate(np.ones((30, 30)), groups).rate == pytest.approx(expected)


def test_nearest_across_two_sets():
    distance = np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]])
    rate = ev.same_group_rate(distance, ["a", "b"], ["a", "b", "b"])
    assert rate.rate == 1 and rate.chance == pytest.approx((1 / 3 + 2 / 3) / 2)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 12))
def test_taxonomic_curve_against_loops_and_its_bounds(seed, number):
    rng = np.random.default_rng(seed)
    distance = rng.random((number, number))
    levels = rng.integers(0, 4, (number, number)).astype(float)
    ks = list(range(1, number))
    curve = ev.taxonomic_curve(distance, levels, ks)
    for k in ks:
        rows = []
        for i in range(number):
            near = sorted((j for j in range(number) if j != i), key=lambda j: distance[i, j])
            rows.append(np.mean([levels[i, j] for j in near[:k]]))
        assert curve.mean[k - 1] == pytest.approx(np.mean(rows))
        np.testing.assert_allclose(curve.per_task[:, k - 1], rows)
    assert np.all(curve.best <= curve.mean + 1e-12)
    assert curve.mean[-1] == pytest.approx(curve.chance) == pytest.approx(curve.best[-1])
    own = ev.taxonomic_curve(levels, levels, ks)
    np.testing.assert_allclose(own.mean, own.best)


def test_hubs_are_counted():
    # task 0 is everybody's nearest, 1 is task 0's
    distance = np.array([[0, 1, 2, 3], [1, 0, 4, 5], [1, 3, 0, 5], [1, 4, 5, 0.0]])
    got = ev.hubs(distance)
    assert got.counts.tolist() == [3, 1, 0, 0]
    assert got.largest_share == 1
    assert got.skewness == pytest.approx(stats.skew([3, 1, 0, 0]))
    everyone = ev.hubs(distance, k=3)
    assert everyone.counts.tolist() == [3, 3, 3, 3] and everyone.skewness == 0
