"""What following each transferability score costs, and how well it orders the experts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from t2v import transferability
from t2v.book import differences
from t2v.book.scored_experts import seen_images
from t2v.distances import distance_matrix
from t2v.errors import InputError
from t2v.evaluation import (
    bootstrap,
    errors_of,
    mean_errors,
    relative_increases,
    weighted_tau,
)
from t2v.meta_task import MetaTask
from t2v.task import Task

Array = NDArray[np.float64]


def distances_as_scores(meta: MetaTask) -> dict[str, Array]:
    """Minus the distances of Task2Vec and of the domain embeddings, by name, `[T, M]`.

    Raises:
        InputError: if the meta-task has no domain embeddings.
    """
    if meta.task_domains is None or meta.expert_domains is None:
        raise InputError("domain: the meta-task has no domain embeddings")
    return {
        "symmetric Task2Vec": -distance_matrix(meta.tasks, meta.experts),
        "asymmetric Task2Vec": -distance_matrix(meta.tasks, meta.experts, "asymmetric"),
        "domain embedding": -distance_matrix(meta.task_domains, meta.expert_domains),
    }


def static_lists(meta: MetaTask, data_sets: Sequence[str]) -> dict[str, Array]:
    """Static lists from the errors on other tasks, and on tasks of other data sets, `[T, M]`.

    Args:
        meta: the meta-task.
        data_sets: data set of each task, `[T]`.
    """
    accuracies = np.where(meta.eligible, 1 - meta.errors, np.nan)
    of = np.asarray(data_sets)
    strangers = np.full(accuracies.shape, np.nan)
    for t, own in enumerate(of):
        others = accuracies[of != own]
        if len(others) > 1:
            strangers[t] = transferability.static_list(np.vstack([others, accuracies[t]]))[-1]
    return {
        "static list": transferability.static_list(accuracies),
        "static list, other data sets": strangers,
    }


def judged_elsewhere(
    meta: MetaTask,
    tasks: Sequence[Task],
    experts: Sequence[str],
    mistakes: Sequence[NDArray[np.bool_]],
    seed: int = 0,
) -> MetaTask:
    """The meta-task with the errors on those images only that `score_experts` did not see.

    Args:
        meta: the meta-task.
        tasks: tasks, among them those of the meta-task.
        experts: M names, among them those of the meta-task.
        mistakes: for each task `[M, N]`, from `mistakes_of`.
        seed: seed of the halves.
    """
    errors, floor = {}, {}
    for task, wrong in zip(tasks, mistakes, strict=True):
        rest = ~seen_images(task, seed)[task.held_out_mask.numpy()]
        labels = task.held_out.labels.numpy()[rest]
        of_classes = [wrong[:, rest][:, labels == k].mean(1) for k in np.unique(labels)]
        errors[task.name] = np.mean(of_classes, axis=0)
        floor[task.name] = 0.5 / len(labels)
    columns = [list(experts).index(name) for name in meta.expert_names or ()]
    names = meta.task_names or ()
    return replace(
        meta,
        errors=np.array([errors[name][columns] for name in names]),
        floor=np.array([floor[name] for name in names]),
    )


class Contest(NamedTuple):
    """What following each score costs on the tasks of a meta-task."""

    table: pd.DataFrame
    """One row per score, the cheapest first: `score`; `increase`, `low`, `high`, mean relative
    error increase in %; `best`, share of the picks that no eligible expert beats, in %; `tau`,
    `tau_low`, `tau_high`, mean weighted τ; `undefined`, share of the tasks without a score, in %.
    Intervals are 95%, over tasks."""
    increases: pd.DataFrame
    """Relative error increase in %, one row per task, one column per score."""

    def against(self, one: str, other: str, called: str = "", **resampling: Any) -> str:
        """Which of two scores costs less, in words, with the paired difference and its interval.

        Args:
            one: name of the score of which something is said.
            other: name of the score with which it is compared.
            called: how the other is called in the sentence; default: by its name.
            **resampling: `resamples` and `seed` of the interval.
        """
        ends = bootstrap((self.increases[one] - self.increases[other]).to_numpy(), **resampling)
        word = differences.words(ends, "costs less than", "costs more than")
        word = {"undecided": "cannot be told from", "the same": "costs the same as"}.get(word, word)
        return f"{word} {{}} ({{:+.1f}} points [{{:+.1f}}, {{:+.1f}}])".format(
            called or other, *ends
        )


def contest(
    meta: MetaTask,
    by_score: Mapping[str, ArrayLike],
    baselines: Mapping[str, ArrayLike],
    **resampling: Any,
) -> Contest:
    """Relative error increase and weighted τ of each score, over the tasks of a meta-task.

    A score picks its highest eligible expert. Where it is not defined for any of them, its error is
    that of chance, and its τ is 0.

    Args:
        meta: the meta-task.
        by_score: name of each score to its values `[T, M]`, NaN where it is not defined.
        baselines: name of each baseline to its errors `[T]`.
        **resampling: `resamples` and `seed` of the intervals.
    """
    chance = mean_errors(meta.errors, meta.eligible)
    best = np.where(meta.eligible, meta.errors, np.inf).min(1)
    increases, rows = {}, []
    for name in (*by_score, *baselines):
        row: dict[str, Any] = {"score": name}
        if name in baselines:
            reached, tau = np.asarray(baselines[name]), None
        else:
            values = np.where(meta.eligible, by_score[name], np.nan)
            known = np.isfinite(values).any(1)
            picks = np.where(np.isfinite(values), values, -np.inf).argmax(1)
            picked = errors_of(meta.errors[known], picks[known], meta.eligible[known])
            reached = chance.copy()
            reached[known] = picked
            tau = np.array([_tau(v, 1 - e) for v, e in zip(values, meta.errors, strict=True)])
            row |= {"best": 100 * np.mean(reached <= best), "undefined": 100 * np.mean(~known)}
            row |= dict(zip(("tau", "tau_low", "tau_high"), bootstrap(tau, **resampling),
                            strict=True))  # fmt: skip
        of_tasks = 100 * relative_increases(reached, meta.errors, meta.eligible, meta.floor)
        increases[name] = of_tasks
        row |= dict(zip(("increase", "low", "high"), bootstrap(of_tasks, **resampling),
                        strict=True))  # fmt: skip
        rows.append(row)
    columns = ["score", "increase", "low", "high", "best", "tau", "tau_low", "tau_high",
               "undefined"]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns).sort_values("increase", kind="stable")
    return Contest(table.reset_index(drop=True), pd.DataFrame(increases, index=meta.task_names))


def _tau(values: Array, accuracies: Array) -> float:
    use = np.isfinite(values)
    if use.sum() < 2 or np.ptp(values[use]) == 0 or np.ptp(accuracies[use]) == 0:
        return 0.0  # there is no order to agree with
    return weighted_tau(values[use], accuracies[use])


def side_by_side(contests: Mapping[str, Contest], seconds: Mapping[str, float]) -> pd.DataFrame:
    """The table `leep_shown`: what each score costs in each pool, as text.

    Args:
        contests: name of each pool to its contest; the first one orders the rows and has the τ.
        seconds: name of a score to its seconds for one task and expert.
    """
    first = next(iter(contests.values())).table
    rows = []
    for name in first.score:
        row = {"score": name}
        for pool, found in contests.items():
            [ends] = found.table.loc[found.table.score == name, ["increase", "low", "high"]].values
            row[pool] = "{:+.1f} [{:.1f}, {:.1f}]".format(*ends.round(1) + 0.0)  # no -0.0
        [tau] = first.loc[first.score == name, ["tau", "tau_low", "tau_high"]].values
        row["τ"] = "–" if np.isnan(tau[0]) else "{:+.2f} [{:.2f}, {:.2f}]".format(*tau)
        row["ms"] = f"{1000 * seconds[name]:.3g}" if name in seconds else "–"
        rows.append(row)
    return pd.DataFrame(rows)
