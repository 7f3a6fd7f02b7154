"""The command line: `t2v embed`, `distances`, `zoo ...`, `recommend`, `demo` and `diversity`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from t2v import __version__

# read when torch is loaded: threads that wait sleep, else a busy machine is ten times as slow
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from t2v.cli import zoo as cli_zoo
from t2v.cli.diversity import diversity
from t2v.cli.options import (
    Device,
    Images,
    ImageSize,
    Json,
    ProbeName,
    Seed,
    Weights,
    read_task,
    say,
)
from t2v.cli.recommend import recommend
from t2v.errors import FileError, InputError

app = typer.Typer(
    help="Task2Vec: embed visual tasks, compare them, choose an expert.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"t2v {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Take the options of `t2v` itself."""


@app.command()
def embed(
    images: Images,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File to write; default: NAME.safetensors."),
    ] = None,
    probe: ProbeName = "imagenet",
    weights: Weights = None,
    image_size: ImageSize = None,
    device: Device = "auto",
    max_images: Annotated[
        int | None,
        typer.Option(help="Use at most this many images, drawn evenly over classes.", min=2),
    ] = None,
    estimator: Annotated[str, typer.Option(help="auto, exact, sketch, sample or robust.")] = "auto",
    seed: Seed = 0,
) -> None:
    """Embed a folder of images as a task."""
    from t2v.embedding import task2vec
    from t2v.probe import load_probe

    if output is not None and not output.parent.is_dir():
        raise FileError(f"{output}: its folder does not exist")
    network = load_probe(probe, weights, image_size, device)
    task = read_task(images, network, max_images=max_images, seed=seed, progress=True)
    output = output or Path(f"{task.name}.safetensors")
    embedding = task2vec(task, network, estimator=estimator, seed=seed, progress=True)
    embedding.save(output)
    spec = embedding.spec
    say(
        f"{output}: {spec['images']} images, {spec['classes']} classes, "
        f"{len(embedding.fisher)} filters of {spec['probe']}, norm {embedding.norm:.4g}"
    )


@app.command()
def distances(
    files: Annotated[list[Path], typer.Argument(help="Embeddings written by `t2v embed`.")],
    kind: Annotated[
        str,
        typer.Option(help="Distance: symmetric, asymmetric (rows: targets, columns: sources), ..."),
    ] = "symmetric",
    plot: Annotated[
        Path | None, typer.Option(help="Draw the matrix to this file (.png, .svg, .pdf).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the distances between embedded tasks."""
    from t2v.distances import distance_matrix
    from t2v.embedding import Embedding

    if len(files) < 2:
        raise InputError("distances: at least two embeddings are needed; got 1")
    embeddings = [Embedding.load(file) for file in files]
    names = _unique([embedding.name for embedding in embeddings])
    matrix = distance_matrix(embeddings, kind=kind)
    if plot is not None:
        from t2v.book import plots

        figure = plots.distance_heatmap(matrix, names, title=f"{kind.capitalize()} distance")
        plots.save(figure, plot)
    if as_json:
        print(json.dumps({"kind": kind, "tasks": names, "distances": matrix.tolist()}))
        return
    table = Table(title=f"{kind} distance")
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right")
    for name, row in zip(names, matrix, strict=True):
        table.add_row(name, *(f"{value:.3f}" for value in row))
    Console().print(table)


app.add_typer(cli_zoo.app, name="zoo")
app.command()(recommend)
app.command()(diversity)


@app.command()
def demo(as_json: Json = False, device: Device = "auto", seed: Seed = 0) -> None:
    """Show in half a minute what an answer looks like, on images that come with the package."""
    from t2v.cli.demo import run

    run(as_json, device, seed)


def _unique(names: list[str]) -> list[str]:
    """The names, those that occur more than once with a number."""
    return [
        f"{name} ({names[: i + 1].count(name)})" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    ]


def main(arguments: Any = None) -> None:
    """Entry point: errors of the user go to stderr in one line, with exit code 2."""
    try:
        app(arguments)
    except (InputError, FileError) as error:
        print(f"t2v: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except OSError as error:  # a full disk, a folder without permission: the system's own words
        print(f"t2v: {error.filename or 'file'}: {error.strerror or error}", file=sys.stderr)
        raise SystemExit(2) from None
