"""Arguments that several commands share, and how they become a task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from t2v._run.names import one_line, writable

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
Groups = Annotated[
    str | None,
    typer.Option(
        metavar="PATTERN|COLUMN",
        help="Images that belong together, such as those of one scene, stay on one side of every "
        "split: a regular expression on the path below the folder, whose match (in parentheses, "
        "if there are some) names the group; or a column of the CSV.",
    ),
]
SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        help="Leave out images that cannot be used, however many, and classes without others.",
    ),
]


def read_task(
    path: Path, probe: Probe, name: str | None = None, tell: Any = None, **options: Any
) -> Task:
    """The task of a folder of images or a CSV, at the probe's image size.

    Args:
        path: the folder or the CSV.
        probe: probe whose image size is taken.
        name: name of the task; default: that of the folder or the CSV.
        tell: receives a line on what was taken and passed over; default: it goes to stderr.
        **options: `max_images`, `seed`, `groups`, `skip_bad` and `progress` of `Task.from_folder`.
    """
    from t2v.reading.table import is_table
    from t2v.task import Task

    read = Task.from_csv if is_table(path) else Task.from_folder
    return read(path, size=probe.image_size, name=name, tell=tell or say_aside, **options)


def task_name(path: Path) -> str:
    """The name of the task of a folder or a CSV, if none is given."""
    from t2v.reading.table import is_table
    from t2v.task import default_name

    return writable(path.stem) if is_table(path) else default_name(path)


def shown(text: str) -> Text:
    """A name as it is, for a table: neither markup, nor emoji codes, nor control characters."""
    return Text(one_line(text))


def say(text: str) -> None:
    """Print a sentence on stdout, neither wrapped nor coloured."""
    Console().print(shown(text), soft_wrap=True, highlight=False)


def say_aside(text: str) -> None:
    """Print a sentence on stderr, which leaves stdout to the results."""
    Console(stderr=True).print(shown(text), soft_wrap=True, highlight=False)
