"""The scale of embeddings between kinds of task, and what dividing by it does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from t2v.evaluation import spearman_interval
from t2v.task import Task

EVERYTHING = "everything"


def divisors(tasks: Iterable[Task]) -> pd.DataFrame:
    """What the Fisher information of each task is divided by, one column for each rule.

    `nothing`: 1; `log K`: entropy of the answer "any class", nats; `entropy`: that of the labels,
    smaller where classes are of unequal size; `K - 1`: number of backward passes of the exact
    estimator.
    """
    rows = []
    for task in tasks:
        shares = np.bincount(np.asarray(task.train.labels), minlength=task.num_classes)
        shares = shares[shares > 0] / shares.sum()
        entropy = float(-(shares * np.log(shares)).sum())
        row = {"nothing": 1.0, "log K": np.log(task.num_classes), "entropy": entropy}
        rows.append(row | {"K - 1": task.num_classes - 1.0})
    return pd.DataFrame(rows)


def divided(embeddings: Sequence[Any], by: Sequence[float]) -> list[Any]:
    """The embeddings, each divided by a number of its own, with their trivial embeddings."""
    pairs = zip(embeddings, by, strict=True)
    return [replace(e, fisher=e.fisher / d, trivial=e.trivial / d) for e, d in pairs]


def norm_and_error(
    norm: np.ndarray, error: np.ndarray, sources: Sequence[str], by: pd.DataFrame, **options: Any
) -> pd.DataFrame:
    """Rank correlation of the divided norm with the error, within each data set and over all.

    Args:
        norm: `[T]`, norm of each task's embedding.
        error: `[T]`, error of each task on held-out images.
        sources: T names of data sets; one with fewer than six tasks counts in "everything" only.
        by: divisors `[T, rules]`.
        **options: keyword arguments of `bootstrap`.

    Returns:
        One row per rule and data set: `rule`, `within`, `tasks`, `spearman`, `low`, `high`; and
        `apart`, for "everything": the largest median norm of a data set over the smallest.
    """
    named = pd.Series(sources)
    groups = {source: i for source, i in named.groupby(named, sort=False).indices.items()
              if len(i) > 5}  # fmt: skip
    rows = []
    for rule in by:
        scaled = np.asarray(norm) / by[rule].to_numpy()
        medians = [float(np.median(scaled[i])) for i in groups.values()]
        for within, i in (groups | {EVERYTHING: np.arange(len(named))}).items():
            rank = spearman_interval(scaled[i], np.asarray(error)[i], **options)
            row = {"rule": rule, "within": within, "tasks": len(i)}
            row |= {"spearman": rank.value, "low": rank.low, "high": rank.high, "apart": np.nan}
            if within == EVERYTHING and medians:
                row["apart"] = max(medians) / min(medians)
            rows.append(row)
    return pd.DataFrame(rows)
