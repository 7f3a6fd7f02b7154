"""The selection table on the open zoo, with experts that are trained several times.

    python -m data_scripts.claims.trainings --seeds 0 1 2 --out FILE.csv
    python -m data_scripts.claims.trainings --seeds 0 --scale smoke    # does it run?

The seeds are those of the experts' training: the tasks, the training tasks and all embeddings are
those of seed 0, as in chapter 11, so its experts are those of seed 0. The table is written after
every seed; seeds that it has already are not run again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from data_scripts.claims.resume import seed_by_seed
from t2v.book import choosing, tables
from t2v.book.chapter import Chapter
from t2v.probe import Probe

COLUMNS = {
    "seed": ("", "seed of the experts' training"),
    "meta_task": ("", "living: tasks and experts of animals and plants; mixed: all"),
    "pool": ("", "which experts are eligible for a task"),
    "tasks": ("tasks", "number of tasks of the meta-task"),
    "experts": ("experts", "number of experts of the meta-task"),
    "beaten": ("share", "tasks on which an eligible fine-tuned expert beats the generic one"),
    "strategy": ("", "strategy"),
    "error": ("share", "mean error reached"),
    "increase": ("ratio", "mean relative error increase over the best eligible expert"),
    "low": ("ratio", "of its 95% bootstrap interval over tasks"),
    "high": ("ratio", "of the same"),
    "median": ("ratio", "of the increase over tasks"),
    "worst_task": ("", "task with the largest increase"),
    "mean_without_worst": ("ratio", "mean increase of the other tasks"),
    "optimal": ("share", "picks that no eligible expert beats"),
    "rank": ("", "mean rank of the pick, 1: best"),
    "increase_of_all": ("ratio", "mean increase over the best of all, generic included"),
    "minus_generic": ("ratio", "mean increase less that of the generic network"),
    "minus_blind": ("ratio", "mean increase less that of task-blind"),
    "minus_asymmetric": ("ratio", "mean increase less that of the asymmetric distance, form own"),
    "commit": ("", "of the code that made the row"),
}


def measure(seed: int, scale: str, probe: Probe) -> Iterator[dict[str, Any]]:
    """The rows of one training: every strategy on both meta-tasks and with every pool.

    Args:
        seed: seed of the experts' training.
        scale: scale of the library.
        probe: the probe, for its device.
    """
    chapter = Chapter("open", scale, device=str(probe.device), training_seed=seed)
    metas = choosing.metas_of(chapter)
    first = chapter.embed()[0][0]
    rows = choosing.table(metas, choosing.strategies_of(chapter.probe, first))
    yield from rows.assign(seed=seed, commit=tables.commit())[list(COLUMNS)].to_dict("records")


def report(frame: pd.DataFrame) -> str:
    """Means over trainings in %, with Student's interval for two or more."""
    lines = []
    means = choosing.over_trainings(frame)
    for (name, pool), part in means.groupby(["meta_task", "pool"], sort=False):
        of_part = frame[(frame.meta_task == name) & (frame.pool == pool)]
        lines.append(f"{name}, {pool}: generic beaten on {of_part.beaten.mean():.0%} of tasks")
        for row in part.itertuples():
            text = f"  {row.strategy:28}{100 * row.value:+7.1f}%"
            if row.trainings > 1:
                text += f" [{100 * row.low:+.1f}, {100 * row.high:+.1f}]"
            lines.append(text)
    return "\n".join(lines)


def main() -> None:
    """Measure the trainings, write the table after every seed if asked to, and print means."""
    seed_by_seed(
        __doc__,
        measure,
        COLUMNS,
        report,
        seeds=(0, 1, 2),
        probe_options={"name": "imagenet", "image_size": 64},
        limits="one zoo of photographs; intervals are over its tasks",
    )


if __name__ == "__main__":
    main()
