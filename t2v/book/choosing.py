"""The selection table of the book: which experts may be picked, by which strategies, at what cost.

Frames have one row for each meta-task, pool and strategy.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pandas as pd

from t2v.book.chapter import Chapter
from t2v.book.trivial_forms import forms_of
from t2v.evaluation import best_errors, mean_interval
from t2v.meta_task import MetaTask
from t2v.model2vec import AS_PRINTED, Model2VecStrategy
from t2v.probe import Probe
from t2v.selection import (
    Baseline,
    BruteForce,
    Chance,
    Generic,
    Nearest,
    NearestDomain,
    NearestOrGeneric,
    Strategy,
    TaskBlind,
    selection_table,
)

ALL, NO_CLASS, NO_DATA_SET = "all experts", "no class in common", "own data set barred"

POOLS: Mapping[str, Mapping[str, bool]] = MappingProxyType(
    {ALL: {}, NO_CLASS: {"overlap": False}, NO_DATA_SET: {"own_data_set": False}}
)
"""Name of each pool of eligible experts to the options of `Chapter.meta_tasks` that make it."""


def metas_of(chapter: Chapter) -> dict[tuple[str, str], MetaTask]:
    """Name of the meta-task and of the pool, to the meta-task.

    Args:
        chapter: a chapter, for its library and its experts.
    """
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
        AS_PRINTED,
        Model2VecStrategy(),
        NearestOrGeneric(),
    ]


def table(
    metas: Mapping[tuple[str, str], MetaTask],
    strategies: list[Strategy | Baseline],
    *,
    jobs: int = -1,
    **resampling: Any,
) -> pd.DataFrame:
    """What every strategy reaches on every meta-task, and the optimum.

    Args:
        metas: name of the meta-task and of the pool, to the meta-task.
        strategies: strategies, one per row.
        jobs: number of processes; -1: one per core.
        **resampling: `resamples` and `seed` of `bootstrap`.

    Returns:
        `meta_task`, `pool`; `tasks` and `experts`, their numbers; `beaten`, share of the tasks on
        which an eligible expert beats the generic one; and the columns of `selection_table`.
    """
    rows = []
    for (name, pool), meta in metas.items():
        best = best_errors(meta.errors, meta.eligible)
        about = {"meta_task": name, "pool": pool, "tasks": len(meta.tasks)}
        about |= {"experts": len(meta.experts), "beaten": float((best < meta.generic).mean())}
        everyone = [*strategies, BruteForce(meta.errors)]
        rows += [about | row for row in selection_table(meta, everyone, jobs=jobs, **resampling)]
    return pd.DataFrame(rows)


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
        ends = mean_interval(values) if len(values) > 1 else (values[0], float("nan"), float("nan"))
        row = dict(zip(keys, key, strict=True)) | {"trainings": len(values)}
        rows.append(row | dict(zip(("value", "low", "high"), ends, strict=True)))
    return pd.DataFrame(rows, columns=[*keys, "trainings", "value", "low", "high"])
