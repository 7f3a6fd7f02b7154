"""Arguments that several commands share, and how they become a task and a probe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # torch takes seconds to load: commands import what they need
    from t2v.probe import Probe
    from t2v.task import Task

Pictures = Annotated[
    Path, typer.Argument(help="Pictures, one sub-folder per class; or a CSV: path, label.")
]
ProbeName = Annotated[str, typer.Option("--probe", help="'synthetic' or a torchvision classifier.")]
Weights = Annotated[
    Path | None, typer.Option(help="State dict, .safetensors or .pth; default: torchvision's.")
]
ImageSize = Annotated[int | None, typer.Option(help="Pixels; default 224.", min=16)]
Device = Annotated[str, typer.Option(help="cpu, cuda or auto.")]
Seed = Annotated[int, typer.Option(help="Of everything random.")]


def read_task(path: Path, probe: Probe, name: str | None = None, **draw: int | None) -> Task:
    """The task of a folder of pictures or a CSV, at the probe's image size.

    `draw`: `max_images` and `seed` of `Task.from_folder`.
    """
    from t2v.task import Task

    read = Task.from_csv if path.suffix == ".csv" else Task.from_folder
    return read(path, size=probe.image_size, name=name, progress=True, **draw)
