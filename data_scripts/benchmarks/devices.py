"""Embeddings on the CPU and on a GPU: differences and times.

    python -m data_scripts.benchmarks.devices --library phylogeny --scale laptop --out FILE.csv

The CPU embeds one task on each core. The cache is empty.
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
    "device": {"unit": "", "meaning": "device of the embeddings"},
    "tasks": {"unit": "tasks", "meaning": "number of tasks"},
    "images": {"unit": "images", "meaning": "number of training images of all tasks"},
    "seconds": {"unit": "s", "meaning": "wall time for all tasks"},
    "entry": {"unit": "1", "meaning": "largest difference of an entry from the CPU's, layer means"},
    "distance": {"unit": "cosine", "meaning": "largest difference of a distance from the CPU's"},
    "nearest": {"unit": "share", "meaning": "tasks with the same nearest task as on the CPU"},
}


def compared(embeddings: list[Embedding], reference: list[Embedding]) -> dict[str, float]:
    """Largest differences of entries and distances, and agreement on the nearest task."""
    entries = max(
        np.abs((a.fisher - b.fisher) / b.trivial).max()
        for a, b in zip(embeddings, reference, strict=True)
    )
    distance, expected = distance_matrix(embeddings), distance_matrix(reference)
    difference = float(np.abs(distance - expected).max())
    for matrix in (distance, expected):
        np.fill_diagonal(matrix, np.inf)
    same = float((distance.argmin(1) == expected.argmin(1)).mean())
    return {"entry": float(entries), "distance": difference, "nearest": same}


def main() -> None:
    """Print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", default="phylogeny")
    parser.add_argument("--scale", default="laptop")
    parser.add_argument("--out", help="table to write (.csv)")
    arguments = parser.parse_args()
    started, rows = time.perf_counter(), []
    tasks = load_library(arguments.library, arguments.scale).tasks
    images, reference = sum(len(task.train) for task in tasks), None
    for device in ("cpu", "cuda"):
        seconds, embeddings = timed(tasks, load_probe("synthetic", device=device))
        reference = reference or embeddings
        name = f"cpu, {joblib.cpu_count()} cores"
        if device == "cuda":
            name = device_name(torch.device(device))
        row = {"device": name, "tasks": len(tasks), "images": images}
        rows.append(row | {"seconds": round(seconds, 2)} | compared(embeddings, reference))
        print(rows[-1], flush=True)
    if arguments.out:
        tables.write(
            pd.DataFrame(rows),
            arguments.out,
            columns=COLUMNS,
            limits=f"One machine; the probe synthetic, {arguments.library} at {arguments.scale}, "
            "float32.",
            seed=0,
            seconds=time.perf_counter() - started,
            device=device_name(torch.device("cuda")),
        )


def timed(tasks: list[Task], probe: Probe) -> tuple[float, list[Embedding]]:
    """Seconds and result of a second call, after a first one on few images as a warm-up."""
    with tempfile.TemporaryDirectory() as cache, mock.patch.dict(os.environ, T2V_CACHE=cache):
        embed_tasks(tasks, probe, max_images=16)
        start = time.perf_counter()
        embeddings = embed_tasks(tasks, probe)
        return time.perf_counter() - start, embeddings


if __name__ == "__main__":
    main()
