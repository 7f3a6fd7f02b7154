"""Arguments that several commands share, and how they become a task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:  # torch takes seconds to load: commands import what they need
    from t2v.probe import Probe
    from t2v.task import Task

Images = Annotated[
    Path,
    typer.Argument(
        metavar="IMAGES", help="Folder with one sub-folder per class, or CSV with path and label."
    ),
]
ProbeName = Annotated[
    str,
    typer.Option(
        "--probe",
        help="'imagenet', 'synthetic' or a torchvision classifier; resnet34 is the paper's.",
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        help="State dict of the probe, .safetensors or .pth; default: the package's for imagenet "
        "and synthetic, else torchvision's."
    ),
]
ImageSize = Annotated[
    int | None,
    typer.Option(
        help="Image size in pixels; default: 64 for imagenet, 48 for synthetic, else 224.", min=16
    ),
]
Device = Annotated[str, typer.Option(help="cpu, cuda or auto.")]
Seed = Annotated[int, typer.Option(help="Seed of all random choices.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def read_task(path: Path, probe: Probe, name: str | None = None, **options: Any) -> Task:
    """The task of a folder of images or a CSV, at the probe's image size.

    Args:
        path: the folder or the CSV.
        probe: probe whose image size is taken.
        name: name of the task; default: that of the folder or the CSV.
        **options: `max_images`, `seed` and `progress` of `Task.from_folder`.
    """
    from t2v.task import Task

    read = Task.from_csv if path.suffix == ".csv" else Task.from_folder
    return read(path, size=probe.image_size, name=name, **options)


def say(text: str) -> None:
    """Print a sentence on stdout, neither wrapped nor coloured."""
    Console().print(text, soft_wrap=True, highlight=False, markup=False)
