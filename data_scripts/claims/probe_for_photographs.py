"""Which network becomes the probe `imagenet`: chosen on half of the tasks, reported on the others.

    python -m data_scripts.claims.probe_for_photographs imagenet FOLDER/mobilenet_v2.safetensors

The tasks are divided by the hash of their names, and neighbours are sought within each half, so
that no task of the second half plays a part in the choice. The rule, stated before looking:

* the probe with the highest rate of nearest tasks of the same group, on the first half;
* probes whose rate is not clearly lower, because the 95% paired bootstrap interval of the
  difference contains 0, are tied with it, and of those the one with the smallest mean error of a
  linear classifier on held-out images (cross-validated where tasks have folds), on the first half.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from t2v import Probe, Task, load_library, load_probe, task2vec
from t2v.book import tables
from t2v.book.provenance import device_name
from t2v.distances import distance_matrix
from t2v.evaluation import Estimate, bootstrap, same_group_rate
from t2v.many_tasks import embed_tasks, held_out_errors

HALVES = ("first", "second")
COLUMNS = {
    "probe": ("", "name of the probe, or of its file of weights"),
    "half": ("", "first: the choice is made on it; second: reported"),
    "tasks": ("tasks", "number of tasks; of same_group, those with another task of their group"),
    "measure": (
        "",
        "same_group: nearest task is of the same group; self_distance: of two halves of the "
        "images of a task, mean; spread: median distance of two tasks; error: of a linear "
        "classifier on held-out images, class-balanced, mean; seconds: to embed a task of the "
        "median number of images, processor time",
    ),
    "value": ("share, distance or seconds", "measured value"),
    "low": ("as value", "of its 95% bootstrap interval over tasks"),
    "high": ("as value", "of the same"),
    "chance": ("share", "of same_group: expected for random neighbours"),
}


@dataclass(frozen=True)
class Measured:
    """What one probe does on one half of the tasks.

    Attributes:
        hits: `[A]`, whether the nearest task is of the same group, in [0, 1].
        chance: expected mean of the hits for random neighbours.
        errors: `[T]`, error of a linear classifier, in [0, 1].
        self_distances: `[T]`, symmetric distance of two halves of a task's images.
        distances: `[T(T-1)/2]`, symmetric distances of two tasks.
        seconds: processor time of embedding a task of the median number of images.
    """

    hits: NDArray[np.float64]
    chance: float
    errors: NDArray[np.float64]
    self_distances: NDArray[np.float64]
    distances: NDArray[np.float64]
    seconds: float

    def rows(self) -> Iterator[dict[str, object]]:
        """Rows of the table, by measure."""
        count = len(self.errors)
        yield _row("same_group", len(self.hits), bootstrap(self.hits)) | {"chance": self.chance}
        yield _row("self_distance", count, bootstrap(self.self_distances))
        yield {"measure": "spread", "tasks": count, "value": float(np.median(self.distances))}
        yield _row("error", count, bootstrap(self.errors))
        yield {"measure": "seconds", "tasks": 1, "value": self.seconds}


def _row(measure: str, tasks: int, estimate: Estimate) -> dict[str, object]:
    return {"measure": measure, "tasks": tasks, **estimate._asdict()}


def half_of(name: str) -> str:
    """The half to which a task belongs, by the hash of its name."""
    return HALVES[hashlib.sha256(name.encode()).digest()[0] % 2]


def halves_of_images(task: Task) -> tuple[Task, Task]:
    """The training images of a task in two halves of every class, by turns."""
    train = task.train
    first = torch.zeros(len(train), dtype=torch.bool)
    for k in range(train.num_classes):
        first[(train.labels == k).nonzero().flatten()[::2]] = True
    return train.subset(first), train.subset(~first)


def measure(
    tasks: Sequence[Task], probe: Probe, jobs: int | None = None, max_images: int | None = None
) -> Measured:
    """What a probe does on some tasks.

    Args:
        tasks: the tasks of one half, each with a group and held-out images.
        probe: the probe.
        jobs: number of processes; default: one per core on the CPU, one on a GPU.
        max_images: images of a task that are embedded, drawn evenly over classes; default: all.
    """
    options: dict[str, Any] = {"jobs": jobs, "progress": True}
    half = None if max_images is None else max_images // 2
    distance = distance_matrix(embed_tasks(tasks, probe, max_images=max_images, **options))
    rate = same_group_rate(distance, [task.group for task in tasks])
    parts = [part for task in tasks for part in halves_of_images(task)]
    embedded = embed_tasks(parts, probe, max_images=half, **options)
    pairs = zip(embedded[::2], embedded[1::2], strict=True)
    typical = sorted(tasks, key=len)[len(tasks) // 2]
    started = time.process_time()
    task2vec(typical, probe)
    return Measured(
        hits=rate.hits,
        chance=rate.chance,
        seconds=time.process_time() - started,
        errors=np.array(held_out_errors(tasks, probe, **options)),
        self_distances=np.array([distance_matrix([a], [b])[0, 0] for a, b in pairs]),
        distances=distance[np.triu_indices(len(tasks), 1)],
    )


def choose(measured: Mapping[str, Measured]) -> str:
    """The probe that the rule takes.

    Args:
        measured: what each probe does on the first half, by its name.
    """
    best = max(measured, key=lambda name: measured[name].hits.mean())
    tied = [
        name
        for name, found in measured.items()
        if name == best or bootstrap(measured[best].hits - found.hits).low <= 0
    ]
    return min(tied, key=lambda name: measured[name].errors.mean())


def main() -> None:
    """Measure the probes, print rows and choice, and write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "probes", nargs="+", help="names, or files of weights named after their architecture"
    )
    parser.add_argument("--library", default="open")
    parser.add_argument("--scale", default="laptop")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--max-images", type=int, help="embed at most so many of each task")
    parser.add_argument("--out", type=Path, help="table to write (.csv)")
    arguments = parser.parse_args()
    started = time.time()
    tasks = load_library(arguments.library, arguments.scale, arguments.seed).tasks
    probes = dict(_load(p, arguments.image_size, arguments.device) for p in arguments.probes)
    options = {"jobs": arguments.jobs, "max_images": arguments.max_images}
    rows, first = [], {}
    for name, probe in probes.items():
        for half in HALVES:
            found = measure([t for t in tasks if half_of(t.name) == half], probe, **options)
            rows += [{"probe": name, "half": half, **row} for row in found.rows()]
            if half == "first":
                first[name] = found
    frame, chosen = pd.DataFrame(rows, columns=list(COLUMNS)), choose(first)
    print(f"{frame.to_string(index=False)}\nchosen on the first half: {chosen}")
    if arguments.out:
        tables.write(
            frame,
            arguments.out,
            columns={name: {"unit": u, "meaning": m} for name, (u, m) in COLUMNS.items()},
            limits="one library of photographs at one image size; tasks on the same images, or of "
            "one data set, are not independent, so intervals are too narrow",
            seed=arguments.seed,
            seconds=time.time() - started,
            device=device_name(next(iter(probes.values())).device),
            library=arguments.library,
            scale=arguments.scale,
            max_images=arguments.max_images,
            chosen=chosen,
            probes={name: probe.sha256 for name, probe in probes.items()},
        )


def _load(text: str, image_size: int, device: str) -> tuple[str, Probe]:
    """Name and probe of an argument: a name, or a file of weights."""
    path = Path(text)
    weights = path if path.suffix in (".safetensors", ".pth") else None
    name = path.stem if weights else text
    return name, load_probe(name, weights, image_size, device)


if __name__ == "__main__":
    main()
