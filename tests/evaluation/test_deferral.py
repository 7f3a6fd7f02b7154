"""Thresholds, gains and calibration: by hand, by brute force and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from t2v import evaluation as ev
from t2v.errors import InputError


@given(st.integers(0, 10**6), st.integers(1, 12))
def test_best_threshold_by_brute_force(seed, cases):
    rng = np.random.default_rng(seed)
    distance = rng.integers(0, 6, cases) / 8  # with ties; eighths, so that midpoints are exact
    expert, generic = (rng.integers(0, 4, cases) / 4 for _ in range(2))
    tau = ev.best_threshold(distance, expert, generic)
    cost = {
        t: sum(e if d < t else g for d, e, g in zip(distance, expert, generic, strict=True))
        for t in [tau, -np.inf, np.inf, *np.arange(-1, 13) / 16]
    }
    assert cost[tau] == min(cost.values())
    smaller = [t for t in cost if t < tau and cost[t] == cost[tau]]
    # of equally good rules the one that takes fewest experts
    assert all((distance < t).sum() == (distance < tau).sum() for t in smaller)
    inner = np.unique(distance)
    assert tau in {-np.inf, np.inf, *((inner[:-1] + inner[1:]) / 2)}


def test_nearest_costs_by_hand():
    distance = [[0.2, 0.1], [0.3, np.inf], [np.inf, 0.4]]
    errors = [[0.1, 0.2], [0.3, 0.1], [0.2, 0.2]]
    eligible = np.array([[True, True], [True, True], [True, False]])
    nearest, expert, generic = ev.nearest_costs(distance, errors, [0.2, 0.15, 0.05], eligible)
    assert nearest.tolist() == [0.1, 0.3]  # the third has no eligible expert at a known distance
    assert expert.tolist() == pytest.approx([1.0, 2.0])
    assert generic.tolist() == pytest.approx([1.0, 0.5])


def test_gains_by_hand():
    distance = np.array([[0.2, 0.1, 0.3], [0.3, np.inf, 0.2]])
    errors = np.array([[0.1, 0.3, 0.9], [0.0, 0.2, 0.4]])
    eligible = np.array([[True, True, False], [True, True, True]])
    rows = ev.gains(distance, errors, [0.2, 0.4], eligible, floor=0.1)
    assert [(r["task"], r["expert"], r["nearest"]) for r in rows] == [
        (0, 0, False), (0, 1, True), (1, 0, False), (1, 2, True)
    ]  # fmt: skip
    assert [r["gain"] for r in rows] == pytest.approx([0.5, -0.5, 0.75, 0.0])
    assert [r["distance"] for r in rows] == [0.2, 0.1, 0.3, 0.2]


def wilson(k, n):
    """Wilson (1927), as printed."""
    z = stats.norm.ppf(0.975)
    p, centre = k / n, (k + z * z / 2) / (n + z * z)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return centre - half, centre + half


def test_calibration_is_the_share_of_better_picks_in_quantile_bins():
    rng = np.random.default_rng(0)
    distance = rng.uniform(0, 0.5, 400)
    gain = np.where(rng.random(400) < 1 - 2 * distance, 0.2, -0.1)
    rows = ev.calibration(distance, gain, bins=8)
    assert [r["cases"] for r in rows] == [50] * 8
    edges = [r["from"] for r in rows] + [r["to"] for r in rows]
    assert sorted(edges) == sorted(
        np.sort(distance)[[*range(0, 400, 50), *range(49, 400, 50)]].tolist()
    )
    for r in rows:
        inside = (distance >= r["from"]) & (distance <= r["to"])
        better = (gain[inside] > 0).sum()
        assert r["better"] == better / 50 and r["gain"] == pytest.approx(gain[inside].mean())
        assert (r["low"], r["high"]) == pytest.approx(wilson(better, 50))
        assert r["distance"] == np.median(distance[inside])
    # eight 95% intervals around a known share: seven or more hold in 94%
    assert sum(r["low"] <= 1 - 2 * r["distance"] <= r["high"] for r in rows) >= 7


def test_equal_distances_share_a_bin():
    rows = ev.calibration([0.1] * 6 + [0.2] * 2, [1, 1, 1, 0, 0, -1, 1, -1], bins=4)
    assert [(r["from"], r["to"], r["cases"], r["better"]) for r in rows] == [
        (0.1, 0.1, 6, 0.5), (0.2, 0.2, 2, 0.5)
    ]  # fmt: skip
    [row] = ev.calibration([0.1], [1.0])
    assert row["cases"] == 1 and row["high"] == 1


def test_thresholds_by_task_are_where_its_experts_stop_being_better():
    distance = np.array([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [np.inf] * 3])
    errors = np.array([[0.1, 0.1, 0.9], [0.9, 0.9, 0.9], [0.1, 0.1, 0.1], [0.1] * 3])
    thresholds = ev.thresholds_by_task(distance, errors, [0.5] * 4)
    np.testing.assert_allclose(thresholds, [0.25, -np.inf, np.inf, np.nan])


def test_spread_inside_groups_by_hand():
    distance = np.abs(np.subtract.outer([0.0, 1.0, 3.0, 7.0], [0.0, 1.0, 3.0, 7.0]))
    spread = ev.spread_inside_groups(distance, ["a", "a", "a", "b"])
    np.testing.assert_allclose(spread, [2.0, 1.5, 2.5, np.nan])


def test_what_sets_the_threshold_is_told_from_what_does_not():
    rng = np.random.default_rng(0)
    own = rng.uniform(0.01, 0.1, 60)
    thresholds = 3 * own + rng.normal(0, 0.02, 60)
    thresholds[own.argmax()], thresholds[own.argmin()] = np.inf, -np.inf
    images = rng.integers(50, 500, 60).astype(float)
    images[:5] = np.nan
    rows = ev.threshold_correlations(
        thresholds, {"self-distance": own, "images": images, "few": [np.nan] * 58 + [1, 2]}
    )
    by_name = {r["quantity"]: r for r in rows}
    cause, other, few = (by_name[n] for n in ("self-distance", "images", "few"))
    assert cause["correlation"] == pytest.approx(stats.spearmanr(own, thresholds).statistic)
    assert cause["low"] > 0.8 and other["low"] < 0 < other["high"]
    assert [r["cases"] for r in rows] == [60, 55, 2] and np.isnan(few["correlation"])


def test_picks_of_the_generic_network():
    errors = [[0.1, 0.2], [0.3, 0.4]]
    assert ev.errors_of(errors, [ev.GENERIC, 1], generic=[0.5, 0.6]).tolist() == [0.5, 0.4]
    assert ev.relative_increases([0.5, 0.4], errors, generic=[0.05, 0.6]).tolist() == pytest.approx(
        [9.0, 1 / 3]
    )
    assert ev.rank_of_error([0.15, 0.05], errors).tolist() == [2, 1]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ev.errors_of([[0.1, 0.2]], [ev.GENERIC]), "expert -1 is not eligible"),
        (lambda: ev.errors_of([[0.1, 0.2]], [-2], generic=[0.1]), "expert -2 is not eligible"),
        (lambda: ev.errors_of([[0.1, 0.2]], [2], generic=[0.1]), "expert 2 is not eligible"),
        (lambda: ev.best_threshold([], [], []), "one or more"),
        (lambda: ev.best_threshold([0.1], [0.1], [np.nan]), "finite"),
        (lambda: ev.gains([[0.1]], [[0.1]], [0.0]), "give floor="),
        (lambda: ev.gains([[0.1]], [[0.1, 0.2]], [0.1]), "expected"),
        (lambda: ev.calibration([0.1, 0.2], [1.0]), "one length"),
        (lambda: ev.calibration([0.1], [1.0], bins=0), "0 bins"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_running_gain_is_a_mean_of_ranks_with_tasks_drawn_whole():
    rng = np.random.default_rng(0)
    tasks = np.repeat(np.arange(30), 10)
    distance = rng.uniform(size=300)
    of_task = rng.normal(size=30)
    gain = of_task[tasks] - distance
    rows = ev.running_gain(distance, gain, tasks, share=0.1, points=5, resamples=999)
    order = np.argsort(distance)
    for row, start in zip(rows, (0, 68, 135, 202, 270), strict=True):
        window = order[start : start + 30]
        assert row["cells"] == 30
        assert row["distance"] == pytest.approx(np.median(distance[window]))
        assert row["gain"] == pytest.approx(gain[window].mean())
        assert row["low"] < row["gain"] < row["high"]
    [whole] = ev.running_gain(distance, gain, tasks, share=1, points=9, resamples=4999)
    # every task has ten cells, so the mean over cells is the mean of the tasks' means
    means = gain.reshape(30, 10).mean(axis=1)
    half = 1.96 * means.std() / np.sqrt(30)
    # percentiles of 4,999 resamples, against the normal approximation
    assert whole["high"] - whole["low"] == pytest.approx(2 * half, rel=0.08)
    assert half > 2 * 1.96 * gain.std() / np.sqrt(300)  # cells as if independent: far too narrow


@pytest.mark.parametrize(
    "change", [{"tasks": [1, 1, 1]}, {"tasks": [1, 2]}, {"share": 0.0}, {"share": 1.5}]
)
def test_running_gain_refuses_what_has_no_answer(change):
    with pytest.raises(InputError, match="running|two tasks"):
        ev.running_gain(**{"distance": [0, 1, 2], "gain": [1, 1, 1], "tasks": [1, 2, 3]} | change)
