"""Choice of the learning rate of the experts of the open zoo, on half of its tasks.

    python -m data_scripts.claims.expert_rate --out FILE.csv

The experts are trained at several rates, for the same number of steps, and tried on the half of the
tasks that is set aside for such choices (by the hash of the name). A rate is judged *at home*: on
tasks whose lineage has the root of the expert's training task. The rule: the rate with the largest
mean over these cells of 1 - (expert's error) / (generic expert's error). What happens to the other
half of the tasks, and to the choice between experts, plays no part.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from data_scripts.claims.probe_for_photographs import half_of
from t2v import evaluation, load_library, load_probe
from t2v.book import tables
from t2v.book.provenance import device_name
from t2v.experts.error_matrix import error_matrix
from t2v.experts.expert import generic_expert
from t2v.experts.fine_tuning import train_experts
from t2v.experts.training import Schedule
from t2v.libraries.expert_tasks import SCHEDULES, expert_tasks
from t2v.probe import Probe

RATES = (0.0001, 0.0006, 0.002)
COLUMNS = {
    "rate": ("", "learning rate of SGD"),
    "home": ("share", "mean gain over the generic expert, tasks of the expert's own root"),
    "low": ("share", "lower end of its 95% bootstrap interval over tasks"),
    "high": ("share", "upper end of its 95% bootstrap interval over tasks"),
    "elsewhere": ("share", "mean gain over the generic expert, all other tasks"),
    "best": ("share", "error of the best expert, mean over tasks"),
    "generic": ("share", "error of the generic expert, mean over tasks"),
    "better": ("share", "cells in which the expert errs less than the generic one"),
}


def measure(rate: float, scale: str, probe: Probe, seed: int = 0) -> dict[str, float]:
    """The row of one rate.

    Args:
        rate: learning rate.
        scale: scale of the library.
        probe: the generic network.
        seed: seed of the library and of the trainings.
    """
    tasks = [t for t in load_library("open", scale, seed) if half_of(t.name) == "first"]
    training_tasks = expert_tasks("open", scale, seed)
    schedule = replace(Schedule(**SCHEDULES["open"][scale]), lr=rate)
    experts = train_experts(training_tasks, probe, schedule=schedule, seed=seed, progress=True)
    matrix = error_matrix(tasks, [generic_expert(probe), *experts], progress=True)
    floor = np.array([[0.5 / len(task.held_out)] for task in tasks])
    errors = np.maximum(np.where(matrix.own, np.nan, matrix.errors), floor)
    generic, errors = errors[:, :1], errors[:, 1:]
    gain = 1 - errors / generic
    home = np.array([[t.lineage[0] == e.lineage[0] for e in experts] for t in tasks])
    by_task = [gain[t, home[t]] for t in range(len(tasks)) if home[t].any()]
    at_home = evaluation.bootstrap(np.array([np.nanmean(row) for row in by_task]))
    return {
        "rate": rate,
        "home": at_home.value,
        "low": at_home.low,
        "high": at_home.high,
        "elsewhere": float(np.nanmean(gain[~home])),
        "best": float(np.nanmin(errors, axis=1).mean()),
        "generic": float(generic.mean()),
        "better": float(np.nanmean(np.where(np.isnan(errors), np.nan, errors < generic))),
    }


def main() -> None:
    """Measure the rates, print them and the choice, and write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rates", type=float, nargs="+", default=list(RATES))
    parser.add_argument("--scale", default="laptop")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--out", type=Path, help="table to write (.csv)")
    arguments = parser.parse_args()
    started, probe = time.time(), load_probe("imagenet", device=arguments.device)
    rows = [measure(rate, arguments.scale, probe) for rate in arguments.rates]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    print(frame.to_string(index=False, float_format="{:.4f}".format))
    print(f"chosen: {frame.rate[int(frame.home.argmax())]:g}")
    if arguments.out:
        tables.write(
            frame,
            arguments.out,
            columns={name: {"unit": u, "meaning": m} for name, (u, m) in COLUMNS.items()},
            limits="one library, one probe, one number of steps; half of the tasks",
            seed=0,
            seconds=time.time() - started,
            scale=arguments.scale,
            device=device_name(probe.device),
            probe=probe.sha256,
        )


if __name__ == "__main__":
    main()
