"""Choice of the learning rate of fine-tuning, on tasks that chapter 14 does not show.

    python -m data_scripts.claims.fine_tuning_rate --library open --seed 0 --out FILE.csv

The tasks are the four largest by the rule of chapter 14: of another world, or of the data sets of
the open zoo from which that chapter takes no task. The generic network is fine-tuned on few of
their images, at several rates and for the same number of steps. The table has the mean errors
relative to that of the first rate. No expert is used.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from t2v import evaluation, load_library, load_probe
from t2v.book import tables
from t2v.book.chapter import Chapter
from t2v.book.meta_tasks import largest_tasks
from t2v.book.provenance import device_name
from t2v.experts.few_images import fewer, tuned_errors
from t2v.experts.training import Schedule
from t2v.probe import Probe
from t2v.task import Task

RATES = {"synthetic": (0.003, 0.01, 0.03), "open": (3e-5, 1e-4, 3e-4, 1e-3)}
COUNTS = {
    "synthetic": {"smoke": (16,), "laptop": (32, 128), "paper": (32, 512)},
    "open": {"laptop": (32, 128), "paper": (32, 128)},  # at smoke all data sets are shown
}
STEPS = {"smoke": 2, "laptop": 20, "paper": 240}
COLUMNS = {
    "rate": ("", "learning rate of SGD"),
    "error": ("share", "class-balanced test error, mean of tasks, numbers of images and draws"),
    "ratio": ("ratio", "mean error over that with the smallest rate, mean over draws"),
    "low": ("ratio", "lower end of its 95% interval over draws"),
    "high": ("ratio", "upper end of its 95% interval over draws"),
}


def tasks_elsewhere(library: str, scale: str, seed: int) -> list[Task]:
    """The four largest tasks of a library that shares no image with those of chapter 14.

    Args:
        library: "synthetic", whose seed is not that of a chapter; or "open".
        scale: scale of the library.
        seed: seed of the world, or of the choice of photographs.
    """
    if library == "synthetic":
        return largest_tasks(load_library(library, scale, seed).tasks)
    chapter = Chapter(library, scale, seed)
    of = dict(zip((task.name for task in chapter.tasks), chapter.data_sets, strict=True))
    shown = {of[task.name] for task in largest_tasks(chapter.tasks, kinds=chapter.data_sets)}
    left = [task for task in chapter.tasks if of[task.name] not in shown]
    return largest_tasks(left, kinds=[of[task.name] for task in left])


def measure(library: str, seed: int, scale: str, probe: Probe, draws: int) -> pd.DataFrame:
    """One row for each rate.

    Args:
        library: "synthetic" or "open".
        seed: seed of the library.
        scale: scale of the library.
        probe: the generic network.
        draws: number of draws of training images.
    """
    largest, rates = tasks_elsewhere(library, scale, seed), RATES[library]
    print(", ".join(task.name for task in largest))
    tasks = [
        fewer(task, n, seed + r)
        for r in range(draws)
        for task in largest
        for n in COUNTS[library][scale]
    ]
    errors = {}
    for rate in rates:
        schedule = Schedule(STEPS[scale], 32, rate)
        work = [(task, probe) for task in tasks]
        tuned = tuned_errors(work, schedule=schedule, seed=seed, progress=True)
        errors[rate] = tuned.reshape(draws, -1)
    rows = []
    for rate in rates:
        ratio = errors[rate].mean(1) / errors[rates[0]].mean(1)
        mean = evaluation.mean_interval(ratio)
        rows.append((rate, errors[rate].mean(), mean.value, mean.low, mean.high))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def main() -> None:
    """Measure the rates, print them, and write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--library", default="synthetic", choices=list(RATES))
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of the library; of a world not that of a chapter"
    )
    parser.add_argument("--scale", default="laptop", choices=list(STEPS))
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--out", type=Path, help="table to write (.csv)")
    arguments = parser.parse_args()
    library, scale = arguments.library, arguments.scale
    if scale not in COUNTS[library]:
        parser.error(f"--scale {scale}: of {library} there is {' and '.join(COUNTS[library])}")
    name = "imagenet" if library == "open" else "synthetic"
    started, probe = time.time(), load_probe(name, device=arguments.device)
    frame = measure(library, arguments.seed, scale, probe, arguments.draws)
    print(frame.to_string(index=False, float_format="{:.4f}".format))
    print(f"best: {frame.rate[int(np.argmin(frame.ratio))]}")
    if arguments.out:
        tables.write(
            frame,
            arguments.out,
            columns={name: {"unit": u, "meaning": m} for name, (u, m) in COLUMNS.items()},
            limits="four tasks of one library, the generic network as the start",
            library=library,
            seed=arguments.seed,
            seconds=time.time() - started,
            device=device_name(probe.device),
            scale=scale,
        )


if __name__ == "__main__":
    main()
