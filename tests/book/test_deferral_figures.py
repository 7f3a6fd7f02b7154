"""The choice between an expert and the generic network, as chapters show it."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from t2v import distances
from t2v.book import deferral
from t2v.book.plots.deferral import LEAST, calibration_figure, gain_figure
from t2v.evaluation import GENERIC
from t2v.selection import Nearest, NearestOrGeneric, leave_one_out
from tests.method.test_deferral import problem
from tests.small import small_probe, small_task

ALL, STRICT = "all experts", "no class in common"


@pytest.fixture(scope="module")
def metas():
    return {("living", ALL): problem(below=0.2), ("living", STRICT): problem(1, below=0.1)}


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_every_eligible_cell_of_a_known_expert_is_there_with_its_distance(metas):
    cells = deferral.cells_of(metas)
    for (name, pool), meta in metas.items():
        part = cells[(cells.meta_task == name) & (cells["pool"] == pool)]
        known = meta.eligible[:, :-1]  # the last one is a black box
        assert len(part) == known.sum()
        distance = distances.distance_matrix(meta.tasks, meta.experts[:-1])
        np.testing.assert_allclose(part.distance, distance[known])
        np.testing.assert_allclose(part.gain, (1 - meta.errors[:, :-1] / 0.3)[known])
        picks = leave_one_out(Nearest(), meta).picks
        assert dict(part[part.nearest][["task", "expert"]].values) == {
            str(t): pick for t, pick in enumerate(picks)
        }


def test_the_planted_threshold_lies_among_the_learnt_ones(metas):
    learnt = deferral.thresholds_of(metas).set_index("pool")
    for pool, planted in ((ALL, 0.2), (STRICT, 0.1)):
        row = learnt.loc[pool]
        assert row.smallest <= row.threshold <= row.largest
        distance = deferral.distances_of(metas["living", pool])
        near = np.sort(np.where(metas["living", pool].eligible, distance, np.inf).min(axis=1))
        # the rule is right for all tasks, so the threshold is in the gap around the planted one
        assert near[near < planted].max() < row.threshold < near[near >= planted].min()


def test_rule_is_compared_with_both_of_its_halves(metas):
    rows = deferral.compared(metas, fixed=0.15, resamples=199)
    assert list(rows.rule) == ["learnt", "fixed"] * 2
    for row in rows.itertuples():
        meta = metas[row.meta_task, row.pool]
        threshold = 0.15 if row.rule == "fixed" else None
        outcome = leave_one_out(NearestOrGeneric(threshold=threshold), meta)
        best = np.minimum(np.where(meta.eligible, meta.errors, np.inf).min(axis=1), meta.generic)
        assert row.increase == pytest.approx(np.mean(outcome.errors / best - 1))
        assert row.generic == pytest.approx(np.mean(meta.generic / best - 1))
        assert row.deferred == np.mean(outcome.picks == GENERIC)
        for half in ("generic", "nearest"):
            gap = getattr(row, f"{half}_minus")
            assert gap == pytest.approx(row.increase - getattr(row, half))
            assert getattr(row, f"{half}_low") <= gap <= getattr(row, f"{half}_high")


def test_a_threshold_that_follows_a_quantity_is_told():
    rng = np.random.default_rng(0)
    meta = problem(2, below=0.2)
    limits = rng.uniform(0.02, 0.4, len(meta.tasks))
    near = deferral.distances_of(meta) < limits[:, None]
    meta.errors[:] = np.where(near, 0.1, 0.5)
    groups = ["a", "b"] * (len(meta.tasks) // 2)
    about = {"limit": limits, "nothing": rng.normal(size=len(limits))}
    rows = deferral.what_sets_it(meta, about, groups, resamples=499).set_index("quantity")
    assert list(rows.index) == ["limit", "nothing", "spread inside its group"]
    assert rows.low["limit"] > 0.3
    assert rows.low["nothing"] < 0 < rows.high["nothing"]
    assert (rows.cases == len(limits)).all()


def test_self_distance_is_that_of_two_halves_and_needs_two_images_of_a_class():
    probe = small_probe()
    tasks = [small_task(name=f"t{seed}", seed=seed, held_out=0) for seed in range(3)]
    lone = tasks[2].subset(np.flatnonzero(np.asarray(tasks[2].labels) != 1)[:20].tolist() + [1])
    selves = deferral.self_distances([*tasks[:2], lone], probe, max_images=40, jobs=1)
    assert np.isnan(selves[2]) and (selves[:2] > 0).all()
    # noise alone has no part of the classes in common: more images, smaller distance
    fewer = deferral.self_distances(tasks[:2], probe, max_images=9, jobs=1)
    assert fewer.mean() > selves[:2].mean()


def test_figures_show_every_cell_and_every_finite_threshold(metas):
    cells = deferral.cells_of(metas)
    worst = cells.index[0]
    cells.loc[worst, "gain"] = -20.0  # drawn at the lower end
    thresholds = deferral.thresholds_of(metas)
    thresholds.loc[1, "threshold"] = np.inf
    figure = gain_figure(cells, thresholds, {"living": "Living"}, "synthetic", resamples=99)
    assert len(figure.axes) == 2
    for ax, pool in zip(figure.axes, (ALL, STRICT), strict=True):
        dots = np.concatenate(
            [c.get_offsets() for c in ax.collections if isinstance(c, PathCollection)]
        )
        assert len(dots) == (cells["pool"] == pool).sum()
        assert dots[:, 1].min() >= LEAST
    upright = [[x for x in ax.lines if len(set(x.get_xdata())) == 1] for ax in figure.axes]
    assert [len(lines) for lines in upright] == [1, 0]
    assert upright[0][0].get_xdata()[0] == thresholds.threshold[0]
    assert figure.axes[0].get_title().startswith("Living")

    figure = calibration_figure(cells, thresholds, {}, "photographs", bins=3)
    [ax] = figure.axes
    shares = [line.get_ydata() for line in ax.lines if len(line.get_ydata()) == 3]
    part = cells[cells.nearest & (cells["pool"] == ALL)]
    order = part.distance.rank(method="first")
    for k, share in enumerate(shares[0]):
        inside = (order > k * 20) & (order <= (k + 1) * 20)
        assert share == pytest.approx((part.gain[inside] > 0).mean())


def test_figures_cope_with_a_meta_task_that_has_one_pool_only(metas):
    one = {("living", ALL): metas["living", ALL], ("mixed", STRICT): metas["living", STRICT]}
    cells, thresholds = deferral.cells_of(one), deferral.thresholds_of(one)
    for draw in (gain_figure, calibration_figure):
        assert isinstance(draw(cells, thresholds, {}, "synthetic"), plt.Figure)
    assert isinstance(pd.DataFrame(thresholds), pd.DataFrame)
