"""The paper's claims about expert selection, measured on drawn worlds of given seeds.

    python -m data_scripts.claims.selection --seeds 302 303 304 305 306 --out FILE.csv

For each seed everything is computed, from drawing the world to the selection table. The table is
written after every seed; seeds that it has already are not run again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from data_scripts.claims.resume import seed_by_seed
from t2v import evaluation, load_library
from t2v.book import tables
from t2v.book.meta_tasks import build_meta_tasks
from t2v.evaluation import best_errors
from t2v.experts.error_matrix import error_matrix
from t2v.experts.expert import generic_expert
from t2v.experts.fine_tuning import train_experts
from t2v.experts.training import Schedule
from t2v.libraries import expert_tasks as zoo
from t2v.many_tasks import embed_tasks
from t2v.meta_task import MetaTask
from t2v.model2vec import AS_PRINTED, Model2VecStrategy
from t2v.probe import Probe
from t2v.selection import (
    BruteForce,
    Chance,
    Generic,
    Nearest,
    NearestDomain,
    NearestOrGeneric,
    TaskBlind,
    selection_table,
)

STRATEGIES = (
    Chance(),
    Generic(),
    TaskBlind(),
    NearestDomain(),
    Nearest("symmetric"),
    Nearest("asymmetric"),
    Nearest("asymmetric", alpha="chosen"),
    Nearest("symmetric", trivial="common"),
    Nearest("asymmetric", trivial="common"),
    Nearest("asymmetric", alpha="chosen", trivial="common"),
    AS_PRINTED,
    Model2VecStrategy(),
    NearestOrGeneric(),
)
COLUMNS = {
    "seed": ("", "seed of the world and of the experts' training"),
    "meta_task": ("", "living: as iNat+CUB; mixed: as Mixed"),
    "overlap": ("", "experts whose training task shares classes with the task are eligible"),
    "tasks": ("tasks", "number of tasks of the meta-task"),
    "experts": ("experts", "number of experts of the meta-task"),
    "beaten": ("share", "tasks on which an eligible fine-tuned expert beats the generic one"),
    "strategy": ("", "strategy"),
    "error": ("share", "mean error reached"),
    "increase": ("ratio", "mean relative error increase over the best eligible expert"),
    "low": ("ratio", "of its 95% bootstrap interval over the tasks of this world"),
    "high": ("ratio", "of the same"),
    "median": ("ratio", "of the increase over tasks"),
    "worst_task": ("", "task with the largest increase"),
    "mean_without_worst": ("ratio", "mean increase of the other tasks"),
    "optimal": ("share", "picks that no eligible expert beats"),
    "rank": ("", "mean rank of the pick, 1: best"),
    "increase_of_all": ("ratio", "mean increase over the best of all, generic included"),
    "seconds": ("s", "to choose, for the median task"),
    "commit": ("", "of the code that made the row"),
}


def meta_tasks_of(seed: int, scale: str, probe: Probe) -> Iterator[tuple[str, bool, MetaTask]]:
    """Name, overlap and meta-task: both meta-tasks of one world, with overlap and without.

    Args:
        seed: seed of the world and of the experts' training.
        scale: scale of the library.
        probe: the generic network.
    """
    tasks = load_library("synthetic", scale, seed).tasks
    training_tasks = zoo.expert_tasks("synthetic", scale, seed)
    schedule = Schedule(**zoo.SCHEDULES["synthetic"][scale])
    experts = train_experts(training_tasks, probe, schedule=schedule, seed=seed, progress=True)
    matrix = error_matrix(tasks, [generic_expert(probe), *experts], progress=True)
    embeddings = (
        embed_tasks(tasks, probe, progress=True),
        embed_tasks(training_tasks, probe, max_images=400, progress=True),
    )
    domains = tuple(embed_tasks(part, probe, domain="second") for part in (tasks, training_tasks))
    for overlap in (True, False):
        metas = build_meta_tasks(
            matrix, tasks, training_tasks, embeddings, domains=domains, overlap=overlap
        )
        for name, meta in metas.items():
            yield name, overlap, meta


def measure(seed: int, scale: str, probe: Probe) -> Iterator[dict[str, Any]]:
    """The rows of one world: every strategy on both meta-tasks, with overlap and without.

    Args:
        seed: seed of the world and of the experts' training.
        scale: scale of the library.
        probe: the generic network.
    """
    for name, overlap, meta in meta_tasks_of(seed, scale, probe):
        world = {"seed": seed, "meta_task": name, "overlap": overlap, "commit": tables.commit()}
        world |= {"tasks": len(meta.tasks), "experts": len(meta.experts)}
        best = best_errors(meta.errors, meta.eligible)
        world["beaten"] = float((best < meta.generic).mean())
        for row in selection_table(meta, [*STRATEGIES, BruteForce(meta.errors)], jobs=-1):
            yield {key: (world | row)[key] for key in COLUMNS}


def report(frame: pd.DataFrame) -> str:
    """Means over seeds, with Student's interval for two or more, and whether the claims hold."""
    lines = []
    for (name, overlap), part in frame.groupby(["meta_task", "overlap"], sort=False):
        beaten = part.groupby("seed").beaten.first().mean()
        lines.append(f"{name}, overlap {overlap}: generic beaten on {beaten:.0%} of tasks")
        for strategy, rows in part.groupby("strategy", sort=False):
            values = 100 * rows.increase
            text = f"{values.mean():+7.1f}%"
            if len(values) > 1:
                mean = evaluation.mean_interval(values)
                text += f" [{mean.low:+.1f}, {mean.high:+.1f}]"
            lines.append(f"  {strategy:22}{text}")
        mean = part.groupby("strategy").increase.mean()
        claims = {
            "asymmetric < generic": mean["asymmetric"] < mean["generic"],
            "asymmetric < chance / 2": mean["asymmetric"] < mean["chance"] / 2,
            "MODEL2VEC <= asymmetric": mean["MODEL2VEC"] <= mean["asymmetric"],
            "beaten on a third": beaten >= 1 / 3,
        }
        lines += [f"  {claim}: {'holds' if true else 'FAILS'}" for claim, true in claims.items()]
    return "\n".join(lines)


def main() -> None:
    """Measure the claims, write the table after every seed if asked to, and print means."""
    seed_by_seed(__doc__, measure, COLUMNS, report)


if __name__ == "__main__":
    main()
