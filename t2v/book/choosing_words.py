"""Sentences and small tables of the chapter on choosing, in Markdown, from the numbers of a run."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from t2v.book import differences
from t2v.book.choosing import ALL, NO_CLASS, over_trainings, with_interval
from t2v.evaluation import mean_interval
from t2v.model2vec import WARM_UP, Model2Vec

Titles = Mapping[str, str]
"""Name of a meta-task to its title."""

OVERLAP = {True: ALL, False: NO_CLASS}
"""Value of the column `overlap` of kept tables to the name of the pool."""

CLAIMS = {  # what is compared, and with what share of what
    "asymmetric below the generic network": ("asymmetric", 1, "generic"),
    "asymmetric below half of chance": ("asymmetric", 0.5, "chance"),
    "asymmetric below symmetric": ("asymmetric", 1, "symmetric"),
    "asymmetric below the domain embedding": ("asymmetric", 1, "domain"),
    "MODEL2VEC no worse than asymmetric": ("MODEL2VEC", 1, "asymmetric"),
}


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def pairs(reached: pd.DataFrame, titles: Titles) -> str:
    """The nearest expert and MODEL2VEC against two rules that never look at the task.

    Args:
        reached: `t2v.book.choosing.table`.
        titles: titles of the meta-tasks.
    """
    rows = []
    for row in reached[reached.strategy.isin(["asymmetric", "MODEL2VEC"])].to_dict("records"):
        where = f"{titles[row['meta_task']]}, {row['pool']}"
        gaps = [paired(row, other) for other in ("generic", "blind")]
        rows.append([where, row["strategy"], *gaps, f"{100 * row['optimal']:.0f}%",
                     f"{row['rank']:.1f}"])  # fmt: skip
    tests = 2 * len(rows)
    head = ("tasks, experts", "strategy", "minus generic", "minus task-blind", "best picked",
            "mean rank")  # fmt: skip
    return (
        f"{markdown(head, rows)}\n\nPaired differences in points, task by task, with 95% intervals;"
        f" negative is better. These are {tests} comparisons: for 5% over all of them, only a "
        f"p-value below {0.05 / max(tests, 1):.3f} counts. Where interval and test disagree, a few "
        "tasks weigh much, and nothing is decided."
    )


def paired(row: Mapping[str, Any], other: str) -> str:
    """A paired difference in points with its interval, p-value and what it bears out."""
    ends = tuple(100 * row[f"minus_{other}{end}"] for end in ("", "_low", "_high"))
    p = row[f"minus_{other}_p"]
    text = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    return "{:+.1f} [{:+.1f}, {:+.1f}], ".format(*ends) + f"{text}: {differences.words(ends)}"


def against(reached: pd.DataFrame, name: str, pool: str, strategy: str = "asymmetric") -> str:
    """Whether a strategy errs less than the generic network, in words and with its interval.

    Args:
        reached: `t2v.book.choosing.table`.
        name: name of the meta-task.
        pool: name of the pool.
        strategy: name of the strategy.
    """
    here = (reached.meta_task == name) & (reached["pool"] == pool) & (reached.strategy == strategy)
    for row in reached[here].to_dict("records"):
        ends = tuple(100 * row[f"minus_generic{end}"] for end in ("", "_low", "_high"))
        word = differences.words(ends, "errs less than", "errs more than")
        said = word if word.startswith("errs") else "cannot be told from"
        return f"{said} the generic network ({{:+.1f}} points [{{:+.1f}}, {{:+.1f}}])".format(*ends)
    return "was not compared with the generic network, because too few tasks have two experts"


def data_sets(reached: pd.DataFrame, titles: Titles, pool: str) -> pd.DataFrame:
    """The table `selection_data_sets_shown`: one pool, increases and differences as text.

    Args:
        reached: `t2v.book.choosing.table`.
        titles: titles of the meta-tasks.
        pool: name of the pool.
    """
    part = reached[reached["pool"] == pool]
    rows = []
    for strategy in dict.fromkeys(part.strategy):
        row = {"strategy": strategy}
        for name in titles:
            row[f"{name}"] = with_interval(part, name, pool, strategy)
            row[f"{name}, minus generic"] = with_interval(part, name, pool, strategy,
                                                          "minus_generic")  # fmt: skip
        rows.append(row)
    return pd.DataFrame(rows)


def epochs(models: Mapping[str, Model2Vec], titles: Titles) -> str:
    """How long MODEL2VEC learns, by meta-task.

    Args:
        models: name of the meta-task to the model that has learnt from all its tasks.
        titles: titles of the meta-tasks.
    """
    rows = []
    for name, model in models.items():
        curve = model.curve
        best = WARM_UP + int(curve[WARM_UP:].argmin())
        numbers = [f"{value:+.2f}" for value in (curve[0], curve[WARM_UP], curve[best])]
        rows.append([titles[name], str(model.epochs), *numbers[:2], f"{numbers[2]} ({best})"])
    head = ("", "epochs it takes", "error before", f"after {WARM_UP}", "after the best number")
    return markdown(head, rows)


def costliest(tasks: pd.DataFrame, titles: Titles) -> str:
    """How the nearest expert fares against the generic network, and its three most expensive picks.

    Args:
        tasks: table `selection_tasks`.
        titles: titles of the meta-tasks.
    """
    lines = []
    for name, rows in tasks.groupby("meta_task", sort=False):
        gap = rows.asymmetric - rows.generic
        worst = rows[rows.picked_error > rows.best_error].nlargest(3, "asymmetric")
        rest = rows.drop(worst.index)
        picks = "; ".join(
            f"*{row.task}*, {row.held_out} tested images: *{row.picked}* ({row.picked_error:.0f}% "
            f"error) and not *{row.best}* ({row.best_error:.0f}%)"
            for row in worst.itertuples()
        )
        lines.append(
            f"- *{titles[str(name)]}*: the pick errs less than the generic network on "
            f"{(gap < 0).sum()} of {len(rows)} tasks and more on {(gap > 0).sum()}. The most "
            f"expensive picks: {picks or 'none'}. Without these the pick costs "
            f"{rest.asymmetric.mean():+.0f}% and the generic network {rest.generic.mean():+.0f}%."
        )
    return "\n".join(lines)


def rules(compared: pd.DataFrame, titles: Titles) -> str:
    """Nearest-or-generic against its two halves.

    Args:
        compared: `t2v.book.deferral.compared`.
        titles: titles of the meta-tasks.
    """
    rows = []
    for row in compared.to_dict("records"):
        where = f"{titles[row['meta_task']]}, {row['pool']}"
        rows.append([where, f"τ {row['rule']}", f"{100 * row['deferred']:.0f}%",
                     f"{100 * row['increase']:+.0f}%", _half(row, "generic"),
                     _half(row, "nearest")])  # fmt: skip
    learnt = compared[compared.rule == "learnt"]
    head = ("tasks, experts", "rule", "left to generic", "increase", "generic alone",
            "always the nearest")  # fmt: skip
    return (
        f"{markdown(head, rows)}\n\nIncrease over the best of all, the generic network included; "
        "in brackets the paired difference of the rule, in points, with its 95% interval over "
        f"tasks (negative: the rule is better). With τ learnt, against the generic network alone: "
        f"{_counted(learnt, 'generic')}. Against always the nearest: {_counted(learnt, 'nearest')} "
        f"(of {len(learnt)} rows each)."
    )


def _half(row: Mapping[str, Any], half: str) -> str:
    ends = tuple(100 * row[f"{half}_{end}"] for end in ("minus", "low", "high"))
    gap = "{:+.1f} [{:+.1f}, {:+.1f}]".format(*ends)
    return f"{100 * row[half]:+.0f}% ({gap}: {differences.words(ends)})"


def _counted(compared: pd.DataFrame, half: str) -> str:
    ends = compared[[f"{half}_{end}" for end in ("minus", "low", "high")]].to_numpy()
    said = [differences.words(row) for row in ends]
    return ", ".join(f"{said.count(word)} {word}" for word in dict.fromkeys(said))


def threshold_goes_with(explained: pd.DataFrame) -> str:
    """What goes with the best threshold of a task.

    Args:
        explained: table `selection_threshold`.
    """
    lines, moved = [], []
    for row in explained.itertuples():
        if not np.isfinite([row.low, row.high]).all():
            lines.append(f"- {row.quantity}: too few tasks.")
            continue
        word = "not shown"
        if row.low > 0 or row.high < 0:
            word = f"{'larger' if row.low > 0 else 'smaller'} thresholds where it is large"
            moved.append(str(row.quantity))
        lines.append(f"- {row.quantity}: {row.correlation:+.2f} [{row.low:+.2f}, {row.high:+.2f}], "
                     f"{row.cases} tasks: {word}.")  # fmt: skip
    return "\n".join(lines) + (
        f"\n\nQuantities whose interval excludes 0: {', '.join(moved) or 'none of them'}. By "
        f"chance alone, one interval in twenty would, and there are {len(explained)}."
    )


def trainings(frame: pd.DataFrame, titles: Titles) -> str:
    """Mean increase over trainings, by strategy, meta-task and pool.

    Args:
        frame: kept table `selection_trainings`, of two trainings or more.
        titles: titles of the meta-tasks.
    """
    means = over_trainings(frame).set_index(["meta_task", "pool", "strategy"])
    keys = list(dict.fromkeys(key[:2] for key in means.index))
    rows = []
    for strategy in dict.fromkeys(frame.strategy):
        cells = [means.loc[(*key, strategy), ["value", "low", "high"]].astype(float) * 100
                 for key in keys]  # fmt: skip
        rows.append([strategy, *("{:+.0f} [{:.0f}, {:.0f}]".format(*cell) for cell in cells)])
    return markdown(("strategy", *(f"{titles[name]}, {pool}" for name, pool in keys)), rows)


def claims_over(frame: pd.DataFrame, titles: Titles) -> str:
    """Whether the claims hold on average over worlds or trainings.

    Args:
        frame: rows of two seeds or more, with `pool` or with `overlap`.
        titles: titles of the meta-tasks.
    """
    frame = with_pools(frame)
    increase = frame.pivot(index=["seed", "meta_task", "pool"], columns="strategy",
                           values="increase")  # fmt: skip
    pools = list(dict.fromkeys(frame["pool"]))
    names = list(dict.fromkeys(frame.meta_task))
    rows = []
    for name, (claim, (one, share, other)) in itertools.product(names, CLAIMS.items()):
        gaps = []
        for pool in pools:
            part = increase.xs((name, pool), level=("meta_task", "pool"))
            gaps.append(verdict(100 * (part[one] - share * part[other])))
        rows.append([titles[name], claim, *gaps])
    gap = increase.MODEL2VEC - increase.asymmetric
    moved = gap[gap.abs() > 1e-9]
    return (
        f"{markdown(('', 'claim', *pools), rows)}\n\nThe numbers are mean differences in points, "
        "seed by seed, with Student's 95% interval, each for itself; negative is as claimed, "
        "*undecided* where the interval holds 0. In "
        f"{len(moved)} of {len(gap)} cases (a seed, a meta-task and a pool each) MODEL2VEC ends "
        "elsewhere than asymmetric Task2Vec, from which it starts: in "
        f"{(moved < 0).sum()} lower, in {(moved > 0).sum()} higher."
    )


def verdict(gap: pd.Series) -> str:
    """Whether a difference is below 0 on average, with Student's 95% interval."""
    if (gap == 0).all():
        return "holds: the same every time"
    mean, low, high = mean_interval(gap)
    word = "undecided" if low < 0 < high else "holds" if mean <= 0 else "fails"
    return f"{word}: {mean:+.1f} [{low:+.1f}, {high:+.1f}]"


def nearest_or_generic_over(worlds: pd.DataFrame, titles: Titles) -> str:
    """Nearest-or-generic minus other strategies, mean over worlds.

    Args:
        worlds: kept table `selection`.
        titles: titles of the meta-tasks.
    """
    if "nearest-or-generic" not in set(worlds.strategy):
        return "No table of several worlds has this strategy yet."
    others = ("generic", "symmetric", "asymmetric")
    against: dict[str, dict[Any, str]] = {}
    for other in others:
        one, two = worlds.strategy == "nearest-or-generic", worlds.strategy == other
        gaps = differences.over_worlds(worlds, "increase_of_all", one, two)
        against[other] = {
            (row.meta_task, row.overlap): _gap(100 * np.array([row.value, row.low, row.high]))
            for row in gaps.itertuples()
        }
    rows = [[f"{titles[key[0]]}, {OVERLAP[key[1]]}", *(against[o][key] for o in others)]
            for key in against["generic"]]  # fmt: skip
    return markdown(("", *(f"minus {other}" for other in others)), rows)


def _gap(ends: np.ndarray) -> str:
    return "{:+.1f} [{:+.1f}, {:+.1f}]: ".format(*ends) + differences.words(ends.tolist())


def without_costliest(worlds: pd.DataFrame, titles: Titles) -> str:
    """What is left of the means without the task that weighs most in each world.

    Args:
        worlds: kept table `selection`.
        titles: titles of the meta-tasks.
    """
    named = worlds.dropna(subset="mean_without_worst")
    means = (
        100
        * named.groupby(["meta_task", "overlap", "strategy"])[
            ["increase", "mean_without_worst", "median"]
        ].mean()
    )
    rows = []
    for key in itertools.product(titles, OVERLAP, ("generic", "asymmetric", "MODEL2VEC")):
        if key in means.index:
            values = [f"{value:+.0f}" for value in means.loc[key, :] + 0.0]
            rows.append([titles[key[0]], OVERLAP[key[1]], key[2], *values])
    head = ("", "experts", "strategy", "mean", "without the most expensive task", "median task")
    picks = named[named.strategy == "asymmetric"]
    weight = 100 * (picks.increase - picks.mean_without_worst * (picks.tasks - 1) / picks.tasks)
    heaviest = picks.loc[weight.idxmax()]
    return (
        f"{markdown(head, rows)}\n\nRelative error increase in %, mean over worlds. The heaviest "
        f"pick of all by the asymmetric distance is the one for *{heaviest.worst_task}* in world "
        f"{heaviest.seed} ({titles[heaviest.meta_task]}, {OVERLAP[heaviest.overlap]}): it makes "
        f"{weight.max():.0f} of the {100 * heaviest.increase:.0f} points of that world's mean."
    )


def with_pools(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with a column `pool`, made from `overlap` where there is none."""
    if "pool" in frame:
        return frame
    return frame.assign(pool=frame.overlap.map(OVERLAP))
