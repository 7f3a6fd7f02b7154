"""Peak memory of the loader of iNaturalist, by the number of images.

`python -m data_scripts.benchmarks.many_images --small 1000 --large 100000`

Folders of generated images are written and read, each in a process of its own: the library at scale
`paper`, the fingerprint of every task, and every image once, by batches.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image

from t2v.libraries import load_library
from t2v.libraries.paper.counts import MINIATURE

SIDE = 32
PER_SPECIES, PER_ORDER = 50, 20  # images, species
BATCH = 64


def write(folder: Path, count: int) -> None:
    """Write `count` images of noise in the layout of iNaturalist 2018.

    Args:
        folder: folder of the data set.
        count: number of images; one in ten is for validation.
    """
    rng = np.random.default_rng(0)
    lists: dict[str, dict[str, list]] = {
        part: {"images": [], "annotations": []} for part in ("train", "val")
    }
    species = count // PER_SPECIES
    for number in range(count):
        kind = number % species
        path = f"train_val2018/Any/{kind}/{number}.jpg"
        part = lists["val" if number // species % 10 == 0 else "train"]
        part["images"].append({"id": number, "file_name": path, "width": SIDE, "height": SIDE})
        part["annotations"].append({"id": number, "image_id": number, "category_id": kind})
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((SIDE, SIDE)).save(folder / path)
    ranks = ("kingdom", "phylum", "class", "family", "genus")
    categories = [
        {"id": k, "name": f"species {k}", "order": f"order {k // PER_ORDER}"}
        | dict.fromkeys(ranks, "any")
        for k in range(species)
    ]
    for part, content in lists.items():
        (folder / f"{part}2018.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "categories.json").write_text(json.dumps(categories), encoding="utf-8")
    (folder / MINIATURE).write_text(json.dumps({"pixels": SIDE, "counts": {}}), encoding="utf-8")


def read(data: Path) -> dict[str, float]:
    """Read everything in this process; returns images, seconds and peak memory in MB."""
    start = time.perf_counter()
    library = load_library("inaturalist", "paper", data=data)
    loaded = time.perf_counter() - start
    total = 0.0
    for task in library:
        assert task.fingerprint
        for first in range(0, len(task), BATCH):
            batch = [task.images[i] for i in range(first, min(first + BATCH, len(task)))]
            total += torch.stack(batch).double().mean().item()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "images": sum(map(len, library)),
        "seconds to load": round(loaded, 1),
        "seconds to read": round(time.perf_counter() - start - loaded, 1),
        "peak MB": round(peak, 1),
    }


def main(
    small: Annotated[int, typer.Option(help="number of images of the first run")] = 1000,
    large: Annotated[int, typer.Option(help="number of images of the second run")] = 100_000,
    here: Annotated[
        Path | None, typer.Option(help="only read the data set below this folder")
    ] = None,
) -> None:
    """Print the peak memory for both numbers of images, and their ratio."""
    if here is not None:
        print(json.dumps(read(here)))
        return
    peaks = []
    for count in (small, large):
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder)
            write(data / "inaturalist", count)
            command = [
                sys.executable,
                "-m",
                "data_scripts.benchmarks.many_images",
                "--here",
                folder,
            ]
            environment = os.environ | {"T2V_CACHE": str(data / "cache")}
            for run in ("first", "second"):
                answer = subprocess.run(
                    command, check=True, env=environment, stdout=subprocess.PIPE, text=True
                )
                measured = json.loads(answer.stdout)
                print(f"{run} run: {measured}", flush=True)
                peaks.append(measured["peak MB"])
    print(f"peak of {large} images / peak of {small}: {max(peaks[2:]) / min(peaks[:2]):.3f}")


if __name__ == "__main__":
    typer.run(main)
