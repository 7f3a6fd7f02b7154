"""Whether experts are worth choosing: the best of them against the generic one, task by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from t2v.evaluation import best_of_many, gain_chosen_elsewhere
from t2v.task import Task

PARTS = 5
"""Number of parts into which held-out images are divided where a task has no folds."""


def parts_of(task: Task) -> NDArray[np.int64]:
    """The part of each held-out image, `[N]`: its fold, or each class dealt out to `PARTS`."""
    if task.folds is not None:
        return task.folds.numpy()
    labels = task.held_out.labels.numpy()
    order = np.argsort(labels, kind="stable")
    parts = np.empty(len(labels), dtype=np.int64)
    parts[order] = np.arange(len(labels)) % PARTS
    return parts


def worth_choosing(
    tasks: Sequence[Task],
    mistakes: Sequence[NDArray[np.bool_]],
    pools: Mapping[str, NDArray[np.bool_]],
    *,
    resamples: int = 1999,
    seed: int = 0,
) -> pd.DataFrame:
    """On which tasks the best eligible expert beats the generic one, and beyond luck.

    Args:
        tasks: T tasks.
        mistakes: T arrays `[1 + M, N]` of `t2v.book.mistakes.mistakes_of`, the generic expert
            first.
        pools: name of a pool to bool `[T, M]`, which of the M experts are eligible.
        resamples: as for `best_of_many`.
        seed: seed of the coins.

    Returns:
        One row per pool and task with an eligible expert: `pool`, `task` (its index), `experts`
        (number of eligible ones), `best` (index), `gain`, `luck` and `p` of `best_of_many`, and
        `elsewhere`, the gain of `gain_chosen_elsewhere`; gains are shares.
    """
    rows = []
    for pool, eligible in pools.items():
        for t, (task, wrong) in enumerate(zip(tasks, mistakes, strict=True)):
            may = np.flatnonzero(eligible[t])
            if not len(may):
                continue
            case = wrong[0], wrong[1:][may], task.held_out.labels.numpy()
            found = best_of_many(*case, resamples=resamples, seed=seed)
            rows.append({
                "pool": pool, "task": t, "experts": len(may), "best": int(may[found.best]),
                "gain": found.gain, "luck": found.luck, "p": found.p,
                "elsewhere": gain_chosen_elsewhere(*case, parts_of(task)),
            })  # fmt: skip
    return pd.DataFrame(rows)
