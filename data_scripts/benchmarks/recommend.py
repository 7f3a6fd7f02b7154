"""Time of `t2v recommend` on a folder of photographs, the first time and the second.

    python -m data_scripts.benchmarks.recommend --images 2000 --image-size 96

Photographs of the open zoo are written to a folder, in ten classes: its tasks with most images.
Both runs are processes of their own, with an empty cache before the first. The seconds of the
processor are beside those of the clock: on a busy machine only the former mean something.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from t2v.libraries import load_library

CLASSES = 10
SIDE = 256  # pixels of the files: about what decoding costs for photographs from the web


def write(folder: Path, images: int) -> int:
    """Write a task to a folder, one sub-folder for each class, as JPEG; returns the number."""
    tasks = sorted(load_library("open", "paper"), key=lambda t: -len(t))[:CLASSES]
    count = 0
    for k, task in enumerate(tasks):
        place = folder / f"{k} {task.name}".replace("/", " ")
        place.mkdir(parents=True)
        for i in range(min(len(task), images // CLASSES)):
            image = Image.fromarray(task.images[i].permute(1, 2, 0).numpy())
            image.resize((SIDE, SIDE)).save(place / f"{i}.jpg", quality=90)
            count += 1
    return count


def main() -> None:
    """Print the number of images, and the seconds of both runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--candidates", default="squeezenet1_1,mobilenet_v2,resnet18,resnet50")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "photographs"
        print(f"{write(folder, arguments.images)} images, load {os.getloadavg()[0]:.1f}")
        command = [sys.executable, "-m", "t2v", "recommend", str(folder)]
        command += ["--image-size", str(arguments.image_size), "--device", "cpu"]
        command += ["--candidates", arguments.candidates]
        for run in ("first", "second"):
            started, before = time.perf_counter(), _processor()
            environment = os.environ | {"T2V_CACHE": str(Path(place) / "cache")}
            done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL)
            seconds = time.perf_counter() - started
            print(
                f"{run}: {seconds:.0f} s, of the processor {_processor() - before:.0f} s, "
                f"exit code {done.returncode}",
                flush=True,
            )


def _processor() -> float:
    """Seconds of all cores that processes which have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
