"""What following a score costs: by hand, and what is said of two scores."""

import numpy as np
import pandas as pd
import pytest

from t2v.book.contest import (
    Contest,
    contest,
    distances_as_scores,
    judged_elsewhere,
    side_by_side,
    static_lists,
)
from t2v.book.scored_experts import seen_images
from t2v.errors import InputError
from t2v.meta_task import MetaTask
from t2v.selection import Nearest, NearestDomain, TaskBlind, leave_one_out
from tests.method.test_selection import random_meta
from tests.small import small_task

FEW = {"resamples": 99}
ERRORS = np.array([[0.1, 0.2, 0.4], [0.3, 0.2, 0.1], [0.2, 0.4, 0.2], [0.1, 0.1, 0.1]])


def a_meta(**more):
    nothing = [None] * 4
    return MetaTask(tasks=nothing, experts=[None] * 3, errors=ERRORS, **more)


def test_costs_by_hand():
    wrong = ERRORS.copy()  # the highest score to the largest error
    part = np.where(np.arange(4)[:, None] == 0, np.nan, 1 - ERRORS)
    found = contest(a_meta(), {"wrong": wrong, "part": part}, {"level": [0.2] * 4}, **FEW)
    assert found.increases["wrong"].tolist() == pytest.approx([300, 200, 100, 0])
    # without a score the pick is at random: a mean error of 7/30, against 1/10
    assert found.increases["part"].tolist() == pytest.approx([400 / 3, 0, 0, 0])
    assert found.increases["level"].tolist() == pytest.approx([100, 100, 0, 100])
    table = found.table.set_index("score")
    assert list(table.index) == ["part", "level", "wrong"]
    assert table.undefined["part"] == 25 and table.best["part"] == 75 and table.best["wrong"] == 25
    # the last task has no order, so its τ is 0; the others are exact opposites or tied
    assert table.tau["part"] == pytest.approx(2 / 4) and table.tau["wrong"] < 0
    assert np.isnan(table.tau["level"])


def test_only_eligible_experts_are_picked():
    eligible = np.array([[False, True, True]] * 4)
    found = contest(a_meta(eligible=eligible), {"right": 1 - ERRORS}, {}, **FEW)
    assert found.increases["right"].tolist() == [0] * 4
    assert found.table.tau[0] == pytest.approx(3 / 4)


def test_distances_pick_what_the_strategies_pick():
    meta = random_meta(tasks=12)
    by_score = distances_as_scores(meta)
    strategies = {
        "symmetric Task2Vec": Nearest(),
        "asymmetric Task2Vec": Nearest("asymmetric"),
        "domain embedding": NearestDomain(),
    }
    for name, strategy in strategies.items():
        picks = np.where(meta.eligible, by_score[name], -np.inf).argmax(1)
        np.testing.assert_array_equal(picks, leave_one_out(strategy, meta).picks)
    with pytest.raises(InputError, match="domain"):
        distances_as_scores(a_meta())


def test_static_lists_leave_the_task_or_its_data_set_out():
    meta = random_meta(tasks=8, ineligible=0)
    sets = list("aaabbbcc")
    lists = static_lists(meta, sets)
    blind = leave_one_out(TaskBlind(), meta).picks  # by mean error, not by mean rank
    assert np.mean(lists["static list"].argmax(1) == blind) > 0.5
    changed = np.array(meta.errors)
    changed[:3] = changed[:3, ::-1]  # the data set of the first task
    other = static_lists(MetaTask(meta.tasks, meta.experts, changed), sets)
    key = "static list, other data sets"
    np.testing.assert_array_equal(other[key][0], lists[key][0])
    assert (other["static list"][0] != lists["static list"][0]).any()
    assert (other[key][5] != lists[key][5]).any()
    assert np.isnan(static_lists(meta, ["a"] * 8)[key]).all()  # there is no other data set


def test_what_is_said_of_two_scores():
    gaps = np.arange(12) % 3 - 1.0
    frame = pd.DataFrame({"a": 5 + gaps, "b": 9 - gaps, "c": 5 - gaps, "d": 5 + gaps})
    found = Contest(pd.DataFrame(), frame)
    assert found.against("a", "b", **FEW).startswith("costs less than b (-4.0 points [")
    assert found.against("b", "a", **FEW).startswith("costs more than a (+4.0 points [")
    assert found.against("a", "c", **FEW).startswith("cannot be told from c (")
    assert found.against("a", "c", "the third", **FEW).startswith("cannot be told from the third (")
    assert found.against("a", "d", **FEW).startswith("costs the same as d (")


def test_judged_on_the_other_half():
    task = small_task(count=120)
    held_out = task.held_out_mask.numpy()
    seen = seen_images(task)[held_out]
    labels = task.held_out.labels.numpy()
    # one expert errs on what is seen only, the other on one class of the rest
    wrong = np.stack([seen, ~seen & (labels == 0)])
    meta = MetaTask([None], [None, None], [[0.5, 0.5]], task_names=[task.name],
                    expert_names=["y", "x"])  # fmt: skip
    found = judged_elsewhere(meta, [task], ["x", "y"], [wrong])
    assert found.errors.tolist() == [pytest.approx([1 / task.num_classes, 0.0])]
    assert found.floor == pytest.approx(0.5 / (~seen).sum())


def test_pools_side_by_side():
    right, level = {"right": 1 - ERRORS}, {"level": ERRORS.max(1)}
    pools = {name: contest(a_meta(), right, level, **FEW) for name in ("all", "few")}
    rows = side_by_side(pools, {"right": 0.0123}).set_index("score")
    assert list(rows.index) == ["right", "level"] and list(rows) == ["all", "few", "τ", "ms"]
    assert rows["all"]["right"] == "+0.0 [0.0, 0.0]" and rows.ms["right"] == "12.3"
    assert rows["τ"]["level"] == rows.ms["level"] == "–"
