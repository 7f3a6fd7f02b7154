"""The commands of a zoo of experts: `t2v zoo add|list|remove` and `t2v recommend`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from t2v.cli.options import Device, ImageSize, Pictures, Seed, Weights, read_task
from t2v.errors import InputError

if TYPE_CHECKING:
    from t2v.probe import Probe

app = typer.Typer(help="Keep a zoo of experts.", no_args_is_help=True)

Directory = Annotated[Path, typer.Argument(help="The zoo's folder.")]
ZooProbe = Annotated[
    str | None, typer.Option("--probe", help="Default: the zoo's; of a new one, resnet34.")
]
MaxImages = Annotated[
    int, typer.Option(help="Embed at most so many pictures, evenly over classes.", min=2)
]


@app.command()
def add(
    directory: Directory,
    what: Annotated[
        Path,
        typer.Argument(help="Pictures to train an expert on; or an expert (.safetensors, .pth)."),
    ],
    task: Annotated[
        Path | None, typer.Option(help="Of an expert: the pictures it was trained on.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Default: the folder's or file's.")] = None,
    probe: ZooProbe = None,
    weights: Weights = None,
    image_size: ImageSize = None,
    network: Annotated[
        str | None, typer.Option(help="Of a state dict: its architecture. Default: the probe's.")
    ] = None,
    device: Device = "auto",
    steps: Annotated[int, typer.Option(help="Of fine-tuning, 64 pictures each.", min=2)] = 1000,
    max_images: MaxImages = 1000,
    seed: Seed = 0,
) -> None:
    """Add an expert: fine-tune one on a folder of pictures, or take one that is there."""
    from t2v.embedding import task2vec
    from t2v.experts import zoo_folder as zoo

    generic = _probe(directory, probe, weights, image_size, device)
    name = name or (what.resolve().name if what.is_dir() else what.stem)
    zoo.check_new(directory, name, generic)
    if what.is_file() and what.suffix != ".csv" and task is None:
        raise InputError(f"{what}: say by --task on which pictures this expert was trained")
    read = read_task(what if task is None else task, generic, name)
    if task is None:
        expert = zoo.train(directory, read, generic, steps, seed, Console().is_terminal)
    else:
        expert = zoo.read_expert(what, read, network or generic.name, generic)
    options = {"max_images": max_images, "progress": Console().is_terminal}
    embedding = task2vec(read, generic, seed=seed, **options)
    entry = zoo.add(directory, name, expert, embedding)
    _say(
        f"{entry.folder}: expert of {len(read)} images, {read.num_classes} classes "
        f"({entry.megabytes:.1f} MB)"
    )


@app.command("list")
def list_(directory: Directory) -> None:
    """List the experts of a zoo."""
    from t2v.experts import zoo_folder as zoo

    table = Table(title=str(directory))
    for column in ("expert", "images embedded", "classes", "with", "MB"):
        table.add_column(column, justify="left" if column == "expert" else "right")
    for entry in zoo.entries(directory):
        spec = entry.embedding.spec
        probe = f"{spec['probe']}, {spec['image_size']} px"
        row = (entry.name, str(spec["images"]), str(spec["classes"]), probe)
        table.add_row(*row, f"{entry.megabytes:.1f}")
    Console().print(table)


@app.command()
def remove(directory: Directory, name: Annotated[str, typer.Argument(help="Of the expert.")]):
    """Remove an expert from a zoo, for good."""
    from t2v.experts import zoo_folder as zoo

    zoo.remove(directory, name)
    _say(f"{directory}: {name} is gone")


def recommend(
    folder: Pictures,
    zoo_directory: Annotated[Path, typer.Option("--zoo", help="The zoo's folder.")],
    top: Annotated[int, typer.Option(help="Show so many experts.", min=1)] = 5,
    report: Annotated[
        Path | None, typer.Option(help="Write the answer to this file (.html).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    splits: Annotated[
        int, typer.Option(help="Splits into halves that tell how sure it is; 0: none.", min=0)
    ] = 4,
    probe: ZooProbe = None,
    weights: Weights = None,
    image_size: ImageSize = None,
    device: Device = "auto",
    max_images: MaxImages = 1000,
    seed: Seed = 0,
) -> None:
    """Rank the experts of a zoo for your pictures, and say how sure that is."""
    from t2v.cli.report import check_place, write_report
    from t2v.embedding import task2vec
    from t2v.experts import zoo_folder as zoo
    from t2v.recommendation import recommend as rank
    from t2v.recommendation import verdict

    if report is not None:
        check_place(report)
    entries = zoo.entries(zoo_directory)
    if not entries:
        raise InputError(f"{zoo_directory}: the zoo is empty; `t2v zoo add` puts experts into it")
    network = _probe(zoo_directory, probe, weights, image_size, device)
    zoo.check_probe(entries[0].embedding, network)
    task = read_task(folder, network, max_images=max_images, seed=seed)
    options = {"seed": seed, "progress": Console().is_terminal and not as_json}
    halves = zoo.embed_halves(task, network, splits, **options)
    target = task2vec(task, network, **options)
    found = rank(target, [entry.embedding for entry in entries], halves)
    if report is not None:
        facts = (
            f"Embedded: {len(task)} pictures in {task.num_classes} classes, with {network.name} "
            f"at {network.image_size} px."
        )
        write_report(found, report, top=top, facts=facts)
    if as_json:
        print(json.dumps(found.as_dict(top)))
        return
    table = Table(title=f"experts for {found.task}")
    for column in ("expert", "distance", "±", "symmetric", "nearest in"):
        table.add_column(column, justify="left" if column == "expert" else "right")
    for i, name in enumerate(found.experts[:top]):
        sure = (f"{found.spread[i]:.3f}", f"{found.on_top[i]:.0%}") if found.halves else ("–", "–")
        numbers = (f"{found.distance[i]:.3f}", sure[0], f"{found.symmetric[i]:.3f}", sure[1])
        table.add_row(name, *numbers)
    Console().print(table)
    _say(verdict(found))
    if report is not None:
        _say(f"{report}: what to do next")


def _probe(
    directory: Path, name: str | None, weights: Path | None, size: int | None, device: str
) -> Probe:
    """The probe asked for, or the one that the zoo's embeddings were made with."""
    from t2v.experts import zoo_folder as zoo
    from t2v.probe import load_probe

    there = zoo.entries(directory) if directory.is_dir() else []
    if there:
        spec = there[0].embedding.spec
        name, size = name or spec["probe"], size or spec["image_size"]
    return load_probe(name or "resnet34", weights, size, device)


def _say(text: str) -> None:
    Console().print(text, soft_wrap=True, highlight=False, markup=False)
