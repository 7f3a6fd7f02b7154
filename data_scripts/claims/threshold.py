"""The distance from which on `t2v recommend` takes the generic network, from development tasks.

    python -m data_scripts.claims.threshold --seeds 0 1 --out t2v/pretrained/thresholds.csv
    python -m data_scripts.claims.threshold --library open --out t2v/pretrained/thresholds.csv

The rule: of the midpoints between the symmetric distances of all tasks from their nearest eligible
experts, the one with the smallest mean relative error increase over the best of all, the generic
network included; every meta-task has the same weight, and of equally good thresholds the smallest
is taken. The row of the probe in the table is replaced; other probes keep theirs.

* `worlds`, for the probe `synthetic`: the meta-tasks are living and mixed, with overlap and
  without, of each world. No world of a chapter and no photograph plays a part.
* `open`, for the probe `imagenet`: the tasks are divided by the hash of their names
  (`half_of`). The meta-tasks are those of the first half with two pools: all experts, and those
  that have not seen the task's data set. What the rule costs is reported on the second half, with
  intervals over its tasks; no task of that half plays a part in the threshold.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data_scripts.claims.probe_for_photographs import HALVES, half_of
from data_scripts.claims.selection import meta_tasks_of
from t2v import load_probe
from t2v._run.files import replacing
from t2v.book import tables
from t2v.book.chapter import Chapter
from t2v.distances import DEFAULT_PRIOR, distance_matrix
from t2v.evaluation import best_threshold, bootstrap, nearest_costs
from t2v.experts.error_matrix import error_matrix
from t2v.libraries.open_zoo import shards
from t2v.meta_task import Array, MetaTask
from t2v.pretrained.thresholds import COLUMNS, KIND
from t2v.probe import Probe
from t2v.selection import Generic

Costs = tuple[Array, Array, Array]
Named = list[tuple[str, MetaTask]]


def costs_of(meta: MetaTask) -> Costs:
    """Distance of the nearest expert, and the increases of it and of the generic network, `[N]`."""
    distance = distance_matrix(meta.tasks, meta.experts, KIND, prior=DEFAULT_PRIOR)
    generic = Generic().reached(meta)
    return nearest_costs(distance, meta.errors, generic, meta.eligible, meta.floor)


def common_threshold(parts: Iterable[Costs]) -> float:
    """The best threshold of several meta-tasks, each with the same weight."""
    weighted = [(d, expert / len(d), generic / len(d)) for d, expert, generic in parts]
    return best_threshold(*(np.concatenate(values) for values in zip(*weighted, strict=True)))


def of_worlds(seeds: Sequence[int], scale: str, probe: Probe) -> Iterator[tuple[str, MetaTask]]:
    """The meta-tasks of drawn worlds, with their names."""
    for seed in seeds:
        for name, overlap, meta in meta_tasks_of(seed, scale, probe):
            yield f"seed {seed}, {name}, overlap {overlap}", meta


def of_open(seed: int, scale: str, device: str) -> tuple[Named, Named]:
    """The meta-tasks of both halves of the open zoo, with their names.

    Args:
        seed: seed of the choice of images and of the trainings.
        scale: scale of the library.
        device: "cpu", "cuda" or "auto".
    """
    chapter = Chapter("open", scale, seed, device)
    matrix = error_matrix(chapter.tasks, [chapter.generic, *chapter.experts], progress=True)
    of_tasks, of_training = chapter.embed()
    experts = {embedding.name: embedding for embedding in of_training}
    seen = {row["name"]: row["source"].split() for row in shards.table("training_tasks")}
    same_data_set = np.array(
        [[name in seen.get(expert, ()) for expert in matrix.experts] for name in chapter.data_sets]
    )
    barred = replace(matrix, own=matrix.own | same_data_set)
    pools = {"all experts": matrix, "own data set barred": barred}
    halves: dict[str, Named] = {half: [] for half in HALVES}
    for half, named in halves.items():
        rows = [t for t, task in enumerate(chapter.tasks) if half_of(task.name) == half]
        floor = [0.5 / len(chapter.tasks[t].held_out) for t in rows]
        for pool, of_pool in pools.items():
            embeddings = [of_tasks[t] for t in rows]
            meta = MetaTask.of(of_pool.of(rows), embeddings, experts, floor=floor)
            named.append((f"{half} half, {pool}", meta))
    return halves["first"], halves["second"]


def report(where: str, costs: Costs, threshold: float) -> str:
    """Mean increases of the three rules on a meta-task, in %, with 95% intervals over tasks."""
    distance, expert, generic = costs
    chosen = np.where(distance < threshold, expert, generic)
    means = [bootstrap(100 * values) for values in (generic, expert, chosen)]
    cells = "".join(f"{m.value:8.1f} [{m.low:6.1f}, {m.high:6.1f}]" for m in means)
    return f"{cells}  {(distance < threshold).mean():5.0%}  {len(distance):3}  {where}"


def main() -> None:
    """Measure the threshold, print it beside that of each meta-task, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--library", default="worlds", choices=["worlds", "open"])
    parser.add_argument(
        "--seeds", type=int, nargs="+", help="development worlds, default 0 1; of open one, 0"
    )
    parser.add_argument("--scale", default="laptop")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--out", type=Path, help="table of thresholds (.csv)")
    arguments = parser.parse_args()
    if arguments.library == "open":
        probe = load_probe("imagenet", device=arguments.device)
        [seed] = arguments.seeds or [0]
        learning, reported = of_open(seed, arguments.scale, arguments.device)
        measured_on = f"first half of the library open, seed {seed}, scale {arguments.scale}"
    else:
        probe = load_probe("synthetic", device=arguments.device)
        seeds = arguments.seeds or [0, 1]
        learning = reported = list(of_worlds(seeds, arguments.scale, probe))
        worlds = " ".join(map(str, seeds))
        measured_on = f"drawn worlds of seeds {worlds}, scale {arguments.scale}"
    parts = []
    for where, meta in learning:
        parts.append(costs_of(meta))
        print(f"{where}: {best_threshold(*parts[-1]):.3f}", flush=True)
    if not parts:
        parser.error("no meta-task is large enough at this scale")
    threshold = common_threshold(parts)
    print(f"threshold: {threshold:.4f}")
    print("mean increase over the best of all, in %: generic, nearest, nearest-or-generic; then")
    print("the share of the tasks for which the nearest expert is taken, and their number")
    for where, meta in reported:
        print(report(where, costs_of(meta), threshold))
    if arguments.out:
        if not np.isfinite(threshold):
            parser.error("one of the two is always better: there is no threshold to write")
        how = f"data_scripts.claims.threshold, commit {tables.commit()}"
        row = {
            "probe": probe.name,
            "weights_sha256": probe.sha256,
            "image_size": str(probe.image_size),
            "kind": KIND,
            "prior": str(DEFAULT_PRIOR),
            "threshold": f"{threshold:.4f}",
            "measured_on": measured_on,
            "how": how,
        }
        write(row, arguments.out)


def write(row: Mapping[str, str], path: Path) -> None:
    """Put a row into a table of thresholds, in place of that of the same probe.

    Args:
        row: value of each of `COLUMNS`.
        path: path of the table; made if need be.
    """
    key = ("weights_sha256", "image_size")
    rows = list(csv.DictReader(path.open(encoding="utf-8", newline=""))) if path.exists() else []
    rows = [old for old in rows if any(old[name] != row[name] for name in key)]
    with replacing(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*rows, row])


if __name__ == "__main__":
    main()
