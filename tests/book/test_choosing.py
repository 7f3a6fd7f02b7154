"""The selection table of the book: its pools, its layout, and means over trainings."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from t2v.book import choosing, choosing_words
from t2v.book.in_folds import InFolds
from t2v.book.plots.choosing import ROWS, given_figure, tasks_figure, violin_figure
from t2v.book.plots.strategies import strategies_figure
from t2v.model2vec import AS_PRINTED, Model2VecStrategy
from t2v.selection import Chance, Generic, Nearest, TaskBlind, leave_one_out
from tests.method.test_deferral import problem

FEW = Model2VecStrategy("MODEL2VEC", {"epochs": 3})
TITLES = {"living": "Living"}


@pytest.fixture(scope="module")
def meta():
    return problem(below=0.2)


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_with_a_fold_for_each_task_it_is_leave_one_out(meta):
    few = meta.subset(range(12))
    alone = leave_one_out(FEW, few).picks
    np.testing.assert_array_equal(leave_one_out(InFolds(FEW, folds=12), few).picks, alone)
    assert InFolds(AS_PRINTED).name == AS_PRINTED.name


def test_errors_of_the_fold_are_hidden_and_it_is_fitted_once_a_fold(meta):
    few, strategy = meta.subset(range(12)), InFolds(FEW, folds=4)
    before = leave_one_out(strategy, few).picks
    assert len(strategy._fitted) == 4
    poisoned = few.subset(range(12))
    poisoned.errors[[1, 5, 9]] = np.random.default_rng(1).uniform(size=(3, few.errors.shape[1]))
    after = leave_one_out(InFolds(FEW, folds=4), poisoned).picks
    np.testing.assert_array_equal(after[[1, 5, 9]], before[[1, 5, 9]])


def test_table_has_a_row_for_each_strategy_and_the_optimum(meta):
    metas = {("living", choosing.ALL): meta, ("living", choosing.NO_CLASS): meta}
    everyone = [Chance(), Generic(), Nearest("asymmetric")]
    reached = choosing.table(metas, everyone, resamples=99)
    assert list(reached.strategy) == ["chance", "generic", "asymmetric", "optimal"] * 2
    best = np.where(meta.eligible, meta.errors, np.inf).min(axis=1)
    assert reached.beaten.unique() == [np.mean(best < meta.generic)]
    row = reached.iloc[1]
    assert row.increase == pytest.approx(np.mean(meta.generic / best - 1))

    paper = pd.DataFrame({"living": {"asymmetric": 1.234}, "mixed": {"asymmetric": 5.0}})
    shown = choosing.shown(reached, paper).set_index("strategy")
    value = shown.living["generic"]
    assert value == f"{100 * row.increase:+.1f} [{100 * row.low:.1f}, {100 * row.high:.1f}]"
    assert shown["iNat+CUB, paper"]["asymmetric"] == "+1.23"
    assert set(shown.mixed) == {"–"}


def test_tasks_and_their_roots_add_up(meta):
    roots = ["a", "b"] * (len(meta.tasks) // 2)
    named = SimpleNamespace(**vars(meta))
    named.tasks = [SimpleNamespace(lineage=(root,), group=root) for root in roots]
    named.experts = [SimpleNamespace(lineage=("a",)) for _ in meta.experts]
    named.task_names = [f"t{t}" for t in range(len(roots))]
    named.expert_names = [f"e{m}" for m in range(len(meta.experts))]
    outcome = leave_one_out(TaskBlind(), meta)
    key = ("living", choosing.ALL)
    held_out = dict.fromkeys(named.task_names, 40)
    tasks = choosing.by_task({key: named}, {key: outcome}, held_out)
    assert list(tasks.picked) == [f"e{pick}" for pick in outcome.picks]
    assert (tasks.asymmetric >= -1e-9).all() and (tasks.held_out == 40).all()
    groups = choosing.by_group(tasks).set_index("tasks of")
    assert groups.number.sum() == len(roots)
    split = choosing.by_root(named, outcome).set_index("tasks of")
    mean = tasks[tasks.group == "b"].asymmetric.mean()
    assert split.asymmetric["b"] == pytest.approx(mean, abs=0.06)  # rounded to a tenth
    assert split["picked among their own"].tolist() == [100, 0]
    text = choosing_words.costliest(tasks, TITLES)
    assert tasks.task[tasks.asymmetric.argmax()] in text
    assert len(tasks_figure(tasks, TITLES).axes) == 1


def trainings():
    rng = np.random.default_rng(0)
    rows = [
        {"seed": seed, "meta_task": "living", "pool": pool, "strategy": strategy,
         "increase": level + 0.01 * rng.normal()}
        for seed in range(3) for pool in (choosing.ALL, choosing.NO_CLASS)
        for strategy, level in (("chance", 2.0), ("generic", 1.0), ("domain", 0.8),
                                ("symmetric", 0.6), ("asymmetric", 0.5), ("MODEL2VEC", 0.55))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_means_over_trainings_have_students_interval():
    frame = trainings()
    means = choosing.over_trainings(frame).set_index(["pool", "strategy"])
    values = frame[(frame["pool"] == choosing.ALL) & (frame.strategy == "generic")].increase
    row = means.loc[(choosing.ALL, "generic")]
    low, high = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    assert (row.value, row.low, row.high) == pytest.approx((values.mean(), low, high))
    one = choosing.over_trainings(frame[frame.seed == 0])
    assert one.low.isna().all() and (one.trainings == 1).all()
    assert choosing_words.trainings(frame, TITLES).count("\n") == 1 + 6


def test_claims_over_trainings_say_what_the_intervals_bear_out():
    text = choosing_words.claims_over(trainings(), TITLES).splitlines()
    assert text[2].count("holds: -5") == 2  # asymmetric less generic, two pools
    assert text[3].count("holds: -5") == 2  # less half of chance
    assert "MODEL2VEC no worse" in text[6] and text[6].count("fails: +") == 2
    old = trainings().rename(columns={"pool": "overlap"})
    old["overlap"] = old.overlap == choosing.ALL
    assert choosing_words.claims_over(old, TITLES).splitlines() == text


def test_figures_show_all_tasks_and_all_strategies(meta):
    outcome = leave_one_out(TaskBlind(), meta)
    order = list(range(len(meta.tasks)))
    figure = violin_figure([("All", meta, outcome, order)], "photographs")
    assert ROWS < len(order) <= 2 * ROWS  # so there are two panels
    assert sum(len(ax.get_yticks()) for ax in figure.axes) == len(order)

    frame = trainings().assign(value=lambda f: 100 * f.increase)
    means = choosing.over_trainings(frame)
    paper = pd.DataFrame({"living": {"generic": 3.0}})
    figure = strategies_figure(means, TITLES, "photographs", paper=paper, single=frame)
    [ax] = figure.axes
    assert [text.get_text() for text in ax.get_yticklabels()] == list(means.strategy.unique())
    strokes = [line for line in ax.lines if line.get_marker() == "|"]
    assert sum(len(line.get_xdata()) for line in strokes) == len(frame)

    images = np.zeros((3, 3, 8, 8), dtype=np.uint8)
    row = {"task": "a", "expert": "b", "images": images, "learnt": images, "said": "5%"}
    assert len(given_figure([row] * 2, "Given").axes) == 4
