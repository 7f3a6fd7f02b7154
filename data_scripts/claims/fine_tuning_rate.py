"""Choice of the learning rate of fine-tuning, on a world that no chapter shows.

    python -m data_scripts.claims.fine_tuning_rate --out FILE.csv

The generic network is fine-tuned on few images of the four largest tasks of that world (the rule of
chapter 14), at several rates and for the same number of steps. The table has the mean errors
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
from t2v.book.meta_tasks import largest_tasks
from t2v.book.provenance import device_name
from t2v.experts.few_images import fewer, tuned_errors
from t2v.experts.training import Schedule
from t2v.probe import Probe

RATES = (0.003, 0.01, 0.03)
COUNTS = {"smoke": (16,), "laptop": (32, 128), "paper": (32, 512)}
STEPS = {"smoke": 2, "laptop": 20, "paper": 240}
COLUMNS = {
    "rate": ("", "learning rate of SGD"),
    "error": ("share", "class-balanced test error, mean of tasks, numbers of images and draws"),
    "ratio": ("ratio", "mean error over that with the smallest rate, mean over draws"),
    "low": ("ratio", "lower end of its 95% interval over draws"),
    "high": ("ratio", "upper end of its 95% interval over draws"),
}


def measure(seed: int, scale: str, probe: Probe, draws: int) -> pd.DataFrame:
    """One row for each rate.

    Args:
        seed: seed of the world.
        scale: scale of the library.
        probe: the generic network.
        draws: number of draws of training images.
    """
    largest = largest_tasks(load_library("synthetic", scale, seed).tasks)
    tasks = [
        fewer(task, n, seed + r) for r in range(draws) for task in largest for n in COUNTS[scale]
    ]
    errors = {}
    for rate in RATES:
        schedule = Schedule(STEPS[scale], 32, rate)
        work = [(task, probe) for task in tasks]
        tuned = tuned_errors(work, schedule=schedule, seed=seed, progress=True)
        errors[rate] = tuned.reshape(draws, -1)
    rows = []
    for rate in RATES:
        ratio = errors[rate].mean(1) / errors[RATES[0]].mean(1)
        mean = evaluation.mean_interval(ratio)
        rows.append((rate, errors[rate].mean(), mean.value, mean.low, mean.high))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def main() -> None:
    """Measure the rates, print them, and write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of the world; not that of a chapter"
    )
    parser.add_argument("--scale", default="laptop", choices=list(COUNTS))
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--out", type=Path, help="table to write (.csv)")
    arguments = parser.parse_args()
    started, probe = time.time(), load_probe("synthetic", device=arguments.device)
    frame = measure(arguments.seed, arguments.scale, probe, arguments.draws)
    print(frame.to_string(index=False, float_format="{:.4f}".format))
    print(f"best: {frame.rate[int(np.argmin(frame.ratio))]}")
    if arguments.out:
        tables.write(
            frame,
            arguments.out,
            columns={name: {"unit": u, "meaning": m} for name, (u, m) in COLUMNS.items()},
            limits="one world, four tasks, the generic network as the start",
            seed=arguments.seed,
            seconds=time.time() - started,
            device=device_name(probe.device),
            scale=arguments.scale,
        )


if __name__ == "__main__":
    main()
