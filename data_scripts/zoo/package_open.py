"""Make the zoo of the library `open` that comes with the package: everything but the weights.

    python -m data_scripts.zoo.package_open --out t2v/experts/open_zoo.safetensors

Experts, errors and embeddings are those of the chapters at the same scale and seed, computed or
taken from the cache (T2V_CACHE). The same code and versions give the same bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from t2v.book import tables
from t2v.book.chapter import TRAINING_IMAGES, Chapter
from t2v.errors import FileError
from t2v.experts.error_matrix import error_matrix
from t2v.experts.open_zoo import FILE, NAME, OpenEntry, OpenZoo
from t2v.experts.zoo_errors import ZooErrors

LARGEST = 3_000_000  # bytes of the file


def package(out: Path, scale: str = "laptop", seed: int = 0, device: str = "auto") -> OpenZoo:
    """Write the zoo, and its description beside it.

    Args:
        out: file to write (.safetensors).
        scale: scale of tasks, training tasks and schedule.
        seed: seed of the choice of images, and of the trainings.
        device: "cpu", "cuda" or "auto".

    Raises:
        FileError: if the file gets too large.
    """
    chapter = Chapter("open", scale, seed, device)
    matrix = error_matrix(chapter.tasks, chapter.experts, progress=True)
    of_tasks, of_training = chapter.embed()
    parts = zip(chapter.experts, of_training, chapter.embed("second")[1], strict=True)
    errors = np.where(matrix.own, np.nan, matrix.errors)
    zoo = OpenZoo.save(
        [OpenEntry.of(*part) for part in parts],
        ZooErrors(tuple(of_tasks), matrix.experts, errors),
        out,
        command=f"python -m data_scripts.zoo.package_open --scale {scale} --seed {seed}",
        commit=tables.commit(),
        library=NAME,
        scale=scale,
        seed=seed,
        probe=chapter.probe.name,
        image_size=chapter.probe.image_size,
        probe_sha256=chapter.probe.sha256,
        schedule=vars(chapter.schedule),
        images_embedded=f"at most {TRAINING_IMAGES} of a training task, all of a task",
    )
    if (size := out.stat().st_size) > LARGEST:
        raise FileError(f"{out}: {size} bytes are more than {LARGEST}")
    return zoo


def main(
    out: Annotated[Path, typer.Option(help="file to write; a .json is written beside")] = FILE,
    scale: Annotated[str, typer.Option(help="smoke, laptop or paper")] = "laptop",
    seed: Annotated[int, typer.Option(help="seed of images and trainings")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto")] = "auto",
) -> None:
    """Write the zoo and say what it holds."""
    zoo = package(out, scale, seed, device)
    print(f"{out}: {len(zoo.entries)} experts, errors on {len(zoo.errors.tasks)} tasks")


if __name__ == "__main__":
    typer.run(main)
