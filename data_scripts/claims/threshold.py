"""The distance from which on `t2v recommend` takes the generic network, from development worlds.

    python -m data_scripts.claims.threshold --seeds 0 1 --out t2v/pretrained/thresholds.csv

The rule: of the midpoints between the symmetric distances of all tasks from their nearest eligible
experts, the one with the smallest mean relative error increase over the best of all, the generic
network included; every meta-task (living and mixed, with overlap and without, of each world) has
the same weight, and of equally good thresholds the smallest is taken. No world of a chapter and no
photograph plays a part. The row of the probe in the table is replaced; other probes keep theirs.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from data_scripts.claims.selection import meta_tasks_of
from t2v import load_probe
from t2v._run.files import replacing
from t2v.book import tables
from t2v.distances import DEFAULT_PRIOR, distance_matrix
from t2v.evaluation import best_threshold, nearest_costs
from t2v.meta_task import Array, MetaTask
from t2v.pretrained.thresholds import COLUMNS, KIND
from t2v.selection import Generic

Costs = tuple[Array, Array, Array]


def costs_of(meta: MetaTask) -> Costs:
    """Distance of the nearest expert, and the increases of it and of the generic network, `[N]`."""
    distance = distance_matrix(meta.tasks, meta.experts, KIND, prior=DEFAULT_PRIOR)
    generic = Generic().reached(meta)
    return nearest_costs(distance, meta.errors, generic, meta.eligible, meta.floor)


def common_threshold(parts: Iterable[Costs]) -> float:
    """The best threshold of several meta-tasks, each with the same weight."""
    weighted = [(d, expert / len(d), generic / len(d)) for d, expert, generic in parts]
    return best_threshold(*(np.concatenate(values) for values in zip(*weighted, strict=True)))


def main() -> None:
    """Measure the threshold, print it beside that of each meta-task, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="development worlds")
    parser.add_argument("--scale", default="laptop")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--out", type=Path, help="table of thresholds (.csv)")
    arguments = parser.parse_args()
    probe = load_probe("synthetic", device=arguments.device)
    parts = []
    for seed in arguments.seeds:
        for name, overlap, meta in meta_tasks_of(seed, arguments.scale, probe):
            parts.append(costs_of(meta))
            where = f"seed {seed}, {name}, overlap {overlap}"
            print(f"{where}: {best_threshold(*parts[-1]):.3f}", flush=True)
    if not parts:
        parser.error("no meta-task is large enough at this scale")
    threshold = common_threshold(parts)
    print(f"threshold: {threshold:.4f}")
    print("mean increase over the best of all, in %: generic, nearest, nearest-or-generic")
    for distance, expert, generic in parts:
        chosen = np.where(distance < threshold, expert, generic)
        print("  ".join(f"{100 * values.mean():7.1f}" for values in (generic, expert, chosen)))
    if arguments.out:
        if not np.isfinite(threshold):
            parser.error("one of the two is always better: there is no threshold to write")
        how = f"data_scripts.claims.threshold, commit {tables.commit()}"
        seeds = " ".join(map(str, arguments.seeds))
        row = {
            "probe": probe.name,
            "weights_sha256": probe.sha256,
            "image_size": str(probe.image_size),
            "kind": KIND,
            "prior": str(DEFAULT_PRIOR),
            "threshold": f"{threshold:.4f}",
            "worlds": f"drawn worlds of seeds {seeds}, scale {arguments.scale}",
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
