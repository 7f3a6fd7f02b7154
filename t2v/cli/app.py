"""The command line: `t2v embed`, `distances`, `zoo`, `recommend`, `audit`, `demo`, `diversity`."""

from __future__ import annotations

import json
import logging
import math
import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from t2v import __version__
from t2v._run.files import check_writable
from t2v._run.names import one_line

# read when torch is loaded: threads that wait sleep, else a busy machine is ten times as slow
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from t2v.cli import zoo as cli_zoo
from t2v.cli.audit import audit
from t2v.cli.diversity import diversity
from t2v.cli.options import (
    Device,
    Groups,
    Images,
    ImageSize,
    Json,
    ProbeName,
    Seed,
    SkipBad,
    Weights,
    read_task,
    say,
    shown,
    task_name,
)
from t2v.cli.recommend import recommend
from t2v.errors import FileError, InputError

if TYPE_CHECKING:
    import numpy as np

    from t2v.embedding import Embedding
    from t2v.task import Task

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
    splits: Annotated[
        int,
        typer.Option(
            help="Number of splits into halves, two or more, whose distance says from where on "
            "distances mean something; 0: none.",
            min=0,
        ),
    ] = 0,
    groups: Groups = None,
    skip_bad: SkipBad = False,
    name: Annotated[
        str | None, typer.Option(help="Name of the task; default: that of the folder or CSV.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace NAME.safetensors if it is there.")
    ] = False,
    seed: Seed = 0,
) -> None:
    """Embed a folder of images as a task."""
    import numpy as np

    from t2v.distances import distance_matrix
    from t2v.embedding import ESTIMATORS, task2vec
    from t2v.many_tasks import embed_halves
    from t2v.probe import load_probe

    if estimator not in ESTIMATORS:
        raise InputError(f"--estimator {estimator}: choose one of {', '.join(ESTIMATORS)}")
    if splits == 1:
        raise InputError("--splits 1: one alone has no spread; take two or more, or 0")
    name = name or task_name(images)
    if output is not None:
        check_writable(output)
    network = load_probe(probe, weights, image_size, device)
    if output is None:
        output = _place(name, force)
        check_writable(output)
    task = read_task(
        images, network, name, max_images=max_images, seed=seed, groups=groups,
        skip_bad=skip_bad, progress=True,
    )  # fmt: skip

    def embedded(part: Task, seed: int) -> Embedding:
        return task2vec(part, network, estimator=estimator, seed=seed, progress=True)

    halves = embed_halves(task, splits, embedded, seed)
    embedding = embedded(task, seed)
    if not embedding.norm:
        raise InputError(f"{images}: the embedding is zero: its images do not tell classes apart")
    if halves:
        self_distance = float(np.mean([distance_matrix([a], [b])[0, 0] for a, b in halves]))
        embedding = replace(embedding, spec=embedding.spec | {"self_distance": self_distance})
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
    if plot is not None:
        check_writable(plot)
    embeddings = [Embedding.load(file) for file in files]
    names = _unique([embedding.name for embedding in embeddings])
    matrix = distance_matrix(embeddings, kind=kind)
    floors = [_self_distance(embedding) for embedding in embeddings]
    if plot is not None:
        _draw(matrix, names, kind, plot)
    if as_json:
        plain = [[v if math.isfinite(v) else None for v in row] for row in matrix.tolist()]
        answer = {"kind": kind, "tasks": names, "distances": plain, "self_distances": floors}
        print(json.dumps(answer, allow_nan=False))
        return
    table = Table(title=f"{kind} distance")
    table.add_column("")
    for name in names:
        table.add_column(shown(name), justify="right")
    for name, row in zip(names, matrix, strict=True):
        table.add_row(shown(name), *(f"{value:.3f}" for value in row))
    Console().print(table)
    if kind == "symmetric":
        say(_resolution(names, floors))


def _self_distance(embedding: Embedding) -> float | None:
    """The symmetric distance of halves of the task, which `t2v embed --splits` measures."""
    value = embedding.spec.get("self_distance")
    known = isinstance(value, float | int) and math.isfinite(value)
    return float(value) if known else None  # type: ignore[arg-type]


def _resolution(names: list[str], floors: list[float | None]) -> str:
    """From where on a distance means something, as far as the embeddings know."""
    known = {name: floor for name, floor in zip(names, floors, strict=True) if floor is not None}
    unknown = len(names) - len(known)
    if not known:
        return (
            "Below which distance nothing is resolved is not known: `t2v embed --splits 4` "
            "measures it."
        )
    worst = max(known, key=lambda name: known[name])
    rest = f" Not known for {unknown} of the {len(names)} tasks." if unknown else ""
    return (
        f"Distances below {known[worst]:.3f} are not resolved: so far apart are, on average, two "
        f"halves of the images of {worst}.{rest}"
    )


def _draw(matrix: np.ndarray, names: list[str], kind: str, path: Path) -> None:
    import matplotlib as mpl

    from t2v.book import plots

    with mpl.rc_context({"text.parse_math": False}):  # a name may hold dollars
        title = f"{kind.capitalize()} distance"
        figure = plots.distance_heatmap(matrix, [one_line(n) for n in names], title=title)
        plots.save(figure, path)


def _place(name: str, force: bool) -> Path:
    """The file of an embedding that is named after its task; it must not be there."""
    if Path(name).name != name or name.startswith("."):
        raise InputError(f"task {name!r}: its name is to be a file's: give -o or a plain --name")
    output = Path(f"{name}.safetensors")
    if output.exists() and not force:
        raise InputError(f"{output}: is there already; give -o or --name, or --force to replace it")
    return output


app.add_typer(cli_zoo.app, name="zoo")
app.command()(recommend)
app.command()(audit)
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
    """Entry point: every error is one line on stderr, with exit code 2, or 1 if it is a bug.

    With `T2V_TRACEBACK=1` in the environment, a bug shows where it is.
    """
    warnings.showwarning = _warn
    logging.getLogger("PIL").setLevel(logging.CRITICAL)  # it logs what the reading reports
    try:
        app(arguments)
    except (InputError, FileError) as error:
        _end(str(error))
    except BrokenPipeError:  # whoever read the output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:  # a full disk, a folder without permission: the system's own words
        _end(f"{error.filename or 'the output'}: {error.strerror or error}")
    except MemoryError:
        _end(OUT_OF_MEMORY)
    except ModuleNotFoundError as error:
        _end(f"needs the package {error.name}: pip install 't2v[plots]'")
    except Exception as error:
        if os.environ.get("T2V_TRACEBACK"):
            raise
        if "not enough memory" in str(error) or "out of memory" in str(error).lower():
            _end(OUT_OF_MEMORY)
        reason = " ".join(str(error).split())[:300]
        _end(
            f"unexpected {type(error).__name__}: {reason} (T2V_TRACEBACK=1 shows where; "
            "please report it)",
            code=1,
        )


OUT_OF_MEMORY = "not enough memory: take fewer (--max-images) or smaller (--image-size) images"


def _end(message: str, code: int = 2) -> NoReturn:
    print(f"t2v: {one_line(message)}", file=sys.stderr)
    raise SystemExit(code) from None


def _warn(
    message: Warning | str, category: type[Warning], filename: str, *_: Any, **__: Any
) -> None:
    """A warning of t2v in one line; those of other packages are not the user's concern."""
    if category is UserWarning and Path(filename).is_relative_to(Path(__file__).parents[1]):
        print(f"t2v: {one_line(str(message))}", file=sys.stderr)
