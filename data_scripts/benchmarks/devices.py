"""The same embeddings on the CPU and on a GPU: how far apart, and how long each takes.

    python -m data_scripts.benchmarks.devices [--library phylogeny] [--scale laptop] [--out FILE.csv]

The CPU is taken with all its cores, a task each. Nothing comes from the cache.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from unittest import mock

import joblib
import numpy as np
import pandas as pd
import torch

from t2v import Embedding, Task, distance_matrix, load_library, load_probe
from t2v.book import tables
from t2v.book.provenance import device_name
from t2v.many_tasks import embed_tasks
from t2v.probe import Probe

COLUMNS = {
    "device": {"unit": "", "meaning": "where it ran"},
    "tasks": {"unit": "tasks", "meaning": "embedded"},
    "images": {"unit": "images", "meaning": "of all tasks"},
    "seconds": {"unit": "s", "meaning": "for all tasks, by the clock"},
    "entry": {"unit": "1", "meaning": "largest difference of an entry from the CPU's, layer means"},
    "distance": {"unit": "cosine", "meaning": "largest difference of a distance from the CPU's"},
    "nearest": {"unit": "share", "meaning": "tasks whose nearest one is the CPU's"},
}


def compared(found: list[Embedding], reference: list[Embedding]) -> dict[str, float]:
    """Largest differences of entries and distances, and agreement on the nearest task."""
    entries = max(
        np.abs((a.fisher - b.fisher) / b.trivial).max()
        for a, b in zip(found, reference, strict=True)
    )
    here, there = distance_matrix(found), distance_matrix(reference)
    difference = float(np.abs(here - there).max())
    for matrix in (here, there):
        np.fill_diagonal(matrix, np.inf)
    same = float((here.argmin(1) == there.argmin(1)).mean())
    return {"entry": float(entries), "distance": difference, "nearest": same}


def main() -> None:
    """Print the table, and write it if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", default="phylogeny")
    parser.add_argument("--scale", default="laptop")
    parser.add_argument("--out", help="a .csv; its sidecar goes beside it")
    given = parser.parse_args()
    started, rows = time.perf_counter(), []
    tasks = load_library(given.library, given.scale).tasks
    images, reference = sum(len(task.train) for task in tasks), None
    for device in ("cpu", "cuda"):
        seconds, found = timed(tasks, load_probe("synthetic", device=device))
        reference = reference or found
        where = f"cpu, {joblib.cpu_count()} cores"
        if device == "cuda":
            where = device_name(torch.device(device))
        about = {"device": where, "tasks": len(tasks), "images": images}
        rows.append(about | {"seconds": round(seconds, 2)} | compared(found, reference))
        print(rows[-1], flush=True)
    if given.out:
        tables.write(
            pd.DataFrame(rows),
            given.out,
            columns=COLUMNS,
            limits=f"One machine; the probe synthetic, {given.library} at {given.scale}, float32.",
            seed=0,
            seconds=time.perf_counter() - started,
            device=device_name(torch.device("cuda")),
        )


def timed(tasks: list[Task], probe: Probe) -> tuple[float, list[Embedding]]:
    """Seconds of a second call, after one on few images has started processes and kernels."""
    with tempfile.TemporaryDirectory() as cache, mock.patch.dict(os.environ, T2V_CACHE=cache):
        embed_tasks(tasks, probe, max_images=16)
        start = time.perf_counter()
        found = embed_tasks(tasks, probe)
        return time.perf_counter() - start, found


if __name__ == "__main__":
    main()
