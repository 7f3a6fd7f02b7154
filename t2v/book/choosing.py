"""The selection table of the book: which experts may be picked, by which strategies, at what cost.

Frames have one row for each meta-task, pool and strategy, or for each task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from t2v.book.chapter import Chapter
from t2v.book.in_folds import InFolds
from t2v.book.trivial_forms import forms_of
from t2v.evaluation import best_errors, mean_interval, relative_increases
from t2v.meta_task import MetaTask
from t2v.model2vec import AS_PRINTED
from t2v.probe import Probe
from t2v.selection import (
    Baseline,
    BruteForce,
    Chance,
    Generic,
    Nearest,
    NearestDomain,
    NearestOrGeneric,
    Outcome,
    Strategy,
    TaskBlind,
    selection_table,
)

ALL, NO_CLASS, NO_DATA_SET = "all experts", "no class in common", "own data set barred"

POOLS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {ALL: {}, NO_CLASS: {"overlap": False}, NO_DATA_SET: {"own_data_set": False}}
)
"""Name of each pool of eligible experts to the options of `Chapter.meta_tasks` that make it."""

Metas = Mapping[tuple[str, str], MetaTask]
"""Name of the meta-task and of the pool, to the meta-task."""


def metas_of(chapter: Chapter) -> dict[tuple[str, str], MetaTask]:
    """The meta-tasks of a chapter with each pool, for its library and its experts."""
    return {
        (name, pool): meta
        for pool, options in POOLS.items()
        for name, meta in chapter.meta_tasks(**options).items()
    }


def strategies_of(probe: Probe, embedding: Any) -> list[Strategy | Baseline]:
    """The strategies of the table, but for the optimum.

    Args:
        probe: the probe, whose weights give a form of the trivial embedding.
        embedding: an embedding by it, for its layers.
    """
    of_probe = forms_of(probe, embedding)["probe"]
    return [
        Chance(),
        Generic(),
        TaskBlind(),
        NearestDomain(),
        Nearest("symmetric"),
        Nearest("asymmetric"),
        Nearest("asymmetric", alpha="chosen"),
        Nearest("asymmetric", trivial="common"),
        Nearest("asymmetric", name="asymmetric, probe t₀", **of_probe),
        InFolds(AS_PRINTED),
        InFolds(),
        NearestOrGeneric(),
    ]


def table(
    metas: Metas, strategies: Sequence[Strategy | Baseline], **resampling: Any
) -> pd.DataFrame:
    """What every strategy reaches on every meta-task, and the optimum.

    Args:
        metas: meta-tasks with a generic expert.
        strategies: strategies, one per row.
        **resampling: `resamples` and `seed` of `bootstrap`.

    Returns:
        `meta_task`, `pool`; `tasks` and `experts`, their numbers; `beaten`, share of the tasks on
        which an eligible expert beats the generic one; and the columns of `selection_table`.
    """
    rows = []
    for (name, pool), meta in metas.items():
        about = {"meta_task": name, "pool": pool, "tasks": len(meta.tasks)}
        about |= {"experts": len(meta.experts), "beaten": beaten(meta)}
        everyone = [*strategies, BruteForce(meta.errors)]
        rows += [about | row for row in selection_table(meta, everyone, **resampling)]
    return pd.DataFrame(rows)


def beaten(meta: MetaTask) -> float:
    """Share of the tasks on which an eligible expert errs less than the generic one."""
    return float(np.mean(best_errors(meta.errors, meta.eligible) < Generic().reached(meta)))


def increases(meta: MetaTask, errors: Any) -> np.ndarray:
    """Relative error increases over the best eligible expert, in %, `[T]`.

    Args:
        meta: the meta-task.
        errors: errors reached, `[T]`.
    """
    return 100 * relative_increases(errors, meta.errors, meta.eligible, meta.floor)


def shown(reached: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """The table `selection_shown`: intervals as text, beside the paper's numbers.

    Args:
        reached: `table`, for the pools of all experts and of those with no class in common.
        paper: the paper's numbers in %, by strategy, columns `living` and `mixed`.
    """
    rows = []
    for strategy in dict.fromkeys(reached.strategy):
        row = {"strategy": strategy}
        for name, printed in (("living", "iNat+CUB"), ("mixed", "Mixed")):
            number = f"+{paper[name][strategy]:.2f}" if strategy in paper.index else "–"
            row[f"{printed}, paper"] = number
            for pool, end in ((ALL, ""), (NO_CLASS, ", no overlap")):
                row[name + end] = with_interval(reached, name, pool, strategy)
        rows.append(row)
    return pd.DataFrame(rows)


def with_interval(
    reached: pd.DataFrame, name: str, pool: str, strategy: str, column: str = "increase"
) -> str:
    """A number of the table in % with its interval as text, "–" if it is not there.

    Args:
        reached: `table`.
        name: name of the meta-task.
        pool: name of the pool.
        strategy: name of the strategy.
        column: "increase", or the paired difference to another strategy, such as "minus_generic".
    """
    here = (reached.meta_task == name) & (reached["pool"] == pool) & (reached.strategy == strategy)
    ends = ("low", "high") if column == "increase" else (f"{column}_low", f"{column}_high")
    for values in (100 * reached.loc[here, [column, *ends]]).to_numpy():
        return "{:+.1f} [{:.1f}, {:.1f}]".format(*values.round(1) + 0.0)  # no -0.0
    return "–"


def given(
    chapter: Chapter, meta: MetaTask, outcome: Outcome, number: int, count: int = 5
) -> dict[str, Any]:
    """A task and the expert that is picked for it, with images of both: a row of `given_figure`.

    Args:
        chapter: the chapter, for the images.
        meta: the meta-task.
        outcome: what a strategy reaches on it.
        number: position of the task.
        count: number of images of each.
    """
    task = {task.name: task for task in chapter.tasks}[meta.task_name(number)]
    [expert] = _names(meta, outcome.picks[[number]] if outcome.picks is not None else [])
    training = {task.name: task for task in chapter.training_tasks}[expert]
    best = best_errors(meta.errors, meta.eligible)[number]
    errors = outcome.errors[number], Generic().reached(meta)[number], best
    said = "error {:.0%}, generic network {:.0%}, best expert {:.0%}".format(*errors)
    row: dict[str, Any] = {
        "task": f"task: {task.name}",
        "expert": f"expert: {expert}",
        "said": said,
    }
    for key, part in (("images", task), ("learnt", training)):
        images: Any = part.images
        row[key] = images[np.linspace(0, len(part) - 1, count).astype(int)]
    return row


def by_task(
    metas: Metas, outcomes: Mapping[tuple[str, str], Outcome], held_out: Mapping[str, int]
) -> pd.DataFrame:
    """The table `selection_tasks`: what the nearest expert costs, task by task, of all experts.

    Args:
        metas: meta-tasks, of which those with all experts are taken.
        outcomes: what the strategy reaches on each of them.
        held_out: name of a task to its number of tested images.
    """
    frames = []
    for (name, pool), meta in metas.items():
        if pool != ALL:
            continue
        outcome = outcomes[name, pool]
        best = np.where(meta.eligible, meta.errors, np.inf).argmin(axis=1)
        columns = {
            "meta_task": name,
            "task": meta.task_names,
            "group": [e.lineage[0] if name == "mixed" else e.group for e in meta.tasks],
            "held_out": [held_out[task] for task in meta.task_names or ()],
            "chance": increases(meta, Chance().reached(meta)),
            "generic": increases(meta, meta.generic),
            "asymmetric": increases(meta, outcome.errors),
            "picked": _names(meta, outcome.picks),
            "best": _names(meta, best),
            "generic_error": 100 * Generic().reached(meta),
            "picked_error": 100 * outcome.errors,
            "best_error": 100 * best_errors(meta.errors, meta.eligible),
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True).round(4)


def by_group(tasks: pd.DataFrame) -> pd.DataFrame:
    """The table `selection_by_group`, from that of the tasks."""
    of_group = tasks.assign(beaten=100 * (tasks.best_error < tasks.generic_error))
    groups = of_group.groupby(["meta_task", "group"], sort=False)
    split = groups[["chance", "generic", "asymmetric"]].mean().map("{:+.1f}".format)
    split.insert(0, "specialist beats generic", groups.beaten.mean().map("{:.0f}%".format))
    split.insert(0, "number", groups.size())
    return split.rename_axis(["meta-task", "tasks of"]).reset_index()


def by_root(meta: MetaTask, outcome: Outcome) -> pd.DataFrame:
    """The table `selection_strict`: a meta-task by the roots of its tasks, in %.

    Args:
        meta: the meta-task.
        outcome: what a strategy reaches on it.
    """
    picks: Any = outcome.picks
    picked = [meta.experts[m].lineage[0] for m in picks]
    frame = pd.DataFrame({"tasks of": [e.lineage[0] for e in meta.tasks]})
    best, generic = best_errors(meta.errors, meta.eligible), Generic().reached(meta)
    frame["specialist beats generic"] = best < generic
    frame["picked among their own"] = frame["tasks of"] == picked
    frame["generic"] = increases(meta, generic) / 100
    frame["asymmetric"] = increases(meta, outcome.errors) / 100
    frame["error, generic"], frame["error, picked"] = generic, outcome.errors
    groups = frame.groupby("tasks of", sort=False)
    split = (100 * groups.mean()).round(1).reset_index()
    split.insert(1, "tasks", groups.size().to_numpy())
    return split


def over_trainings(frame: pd.DataFrame, column: str = "increase") -> pd.DataFrame:
    """Mean of a column over trainings of the experts, with Student's 95% interval.

    Args:
        frame: kept table `selection_trainings`, a row for each seed, meta-task, pool and strategy.
        column: column of numbers.

    Returns:
        `meta_task`, `pool`, `strategy`; `trainings`, their number; `value`, `low` and `high`, NaN
        ends for a single training.
    """
    rows = []
    keys = ["meta_task", "pool", "strategy"]
    for key, part in frame.groupby(keys, sort=False):
        values = part[column].to_numpy()
        ends = mean_interval(values) if len(values) > 1 else (values[0], np.nan, np.nan)
        row = dict(zip(keys, key, strict=True)) | {"trainings": len(values)}
        rows.append(row | dict(zip(("value", "low", "high"), ends, strict=True)))
    return pd.DataFrame(rows, columns=[*keys, "trainings", "value", "low", "high"])


def _names(meta: MetaTask, picks: Any) -> list[str]:
    return [str(meta.expert_names[m]) for m in picks] if meta.expert_names else []
