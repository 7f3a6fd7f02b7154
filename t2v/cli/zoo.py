"""The commands of a zoo of experts: `t2v zoo add|make|list|remove|errors`, `recommend --zoo`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from t2v._run.files import check_writable
from t2v._run.names import writable
from t2v.cli.options import (
    Device,
    Groups,
    ImageSize,
    Seed,
    SkipBad,
    Weights,
    read_task,
    say,
    say_aside,
    shown,
    task_name,
)
from t2v.cli.plain_words import duration, origin
from t2v.errors import InputError

if TYPE_CHECKING:
    from t2v.experts.zoo import AnyZoo
    from t2v.recommendation import Recommendation

OPEN = "open"
OR_OPEN = "or open: the one that comes with the package (./open: a folder of this name)"

app = typer.Typer(help="Manage a zoo of experts.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="ZOO", help="Folder of the zoo.")]
ZooProbe = Annotated[
    str | None,
    typer.Option("--probe", help="Probe; default: that of the zoo, imagenet for a new one."),
]
MaxImages = Annotated[
    int, typer.Option(help="Embed at most this many images, drawn evenly over classes.", min=2)
]


@app.command()
def add(
    folder: Folder,
    what: Annotated[
        Path,
        typer.Argument(
            metavar="IMAGES|EXPERT",
            help="Images to train an expert on, or an existing expert (.safetensors, .pth).",
        ),
    ],
    task: Annotated[
        Path | None, typer.Option(help="Images on which an existing expert was trained.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the expert; default: that of the folder or file.")
    ] = None,
    probe: ZooProbe = None,
    weights: Weights = None,
    image_size: ImageSize = None,
    network: Annotated[
        str | None, typer.Option(help="Architecture of a state dict; default: the probe's.")
    ] = None,
    device: Device = "auto",
    steps: Annotated[
        int | None,
        typer.Option(help="Number of fine-tuning steps; default: the probe's, 150 or 200.", min=2),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Learning rate; default: one that suits the probe.", min=1e-12),
    ] = None,
    max_images: MaxImages = 1000,
    skip_bad: SkipBad = False,
    seed: Seed = 0,
) -> None:
    """Add an expert: fine-tune one on a folder of images, or add an existing one."""
    from t2v.embedding import domain2vec, task2vec
    from t2v.experts.schedules import default_schedule, estimated_seconds
    from t2v.experts.zoo_folder import Zoo, read_expert
    from t2v.reading.table import is_table
    from t2v.task import default_name

    zoo = Zoo(folder)
    name = name or (default_name(what) if what.is_dir() else writable(what.stem))
    zoo.check_new(name)
    check_writable(folder / f"{name}.part" if folder.exists() else folder)
    if what.is_file() and not is_table(what) and task is None:
        raise InputError(f"{what}: give the images on which this expert was trained, by --task")
    generic = zoo.load_probe(probe, weights, image_size, device)
    lines: list[str] = []  # told when nothing else can be wrong
    training_task = read_task(
        task or what, generic, name, lines.append, skip_bad=skip_bad, progress=True
    )
    if task is None:
        say_aside(lines[0])
        schedule = default_schedule(generic, steps, rate)
        seconds = estimated_seconds(training_task, generic, schedule)
        say(f"{name}: training takes about {duration(seconds)}")
        expert = zoo.train(training_task, generic, schedule, seed, progress=True)
    else:
        expert = read_expert(what, training_task, network or generic.name, generic)
        say_aside(lines[0])
    embedded = training_task.balanced(max_images, seed)
    entry = zoo.add(
        name,
        expert,
        task2vec(embedded, generic, seed=seed, progress=True),
        domain2vec(embedded, generic, "second"),
    )
    say(
        f"{entry.folder}: expert of {len(training_task)} images, {training_task.num_classes} "
        f"classes ({entry.megabytes:.1f} MB)"
    )


@app.command()
def make(
    folder: Folder,
    experts: Annotated[
        list[str] | None,
        typer.Option(help="Name of an expert of the open zoo, once for each; default: all."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Train experts of the open zoo, which comes without weights, into a folder.

    What is trained is kept in T2V_CACHE (default: .cache/t2v), so that a run that was killed
    continues. Experts that the folder has already stay as they are.
    """
    from t2v.experts.open_zoo import OpenZoo
    from t2v.experts.schedules import estimated_seconds
    from t2v.experts.training import Schedule
    from t2v.experts.zoo_folder import Zoo

    packaged, zoo = OpenZoo(), Zoo(folder)
    there = {e.name for e in zoo.entries} if folder.exists() else set()
    wanted = packaged.named(experts) if experts else packaged.entries
    entries = [entry for entry in wanted if entry.name not in there]
    if not entries:
        say(f"{folder}: has them all")
        return
    probe = packaged.load_probe(device=device)
    zoo.check_probe(probe)
    for entry in entries:
        zoo.check_new(entry.name)
    tasks = packaged.training_tasks(entries)
    schedule = Schedule(**entries[0].recipe["schedule"])
    seconds = len(entries) * estimated_seconds(tasks[0], probe, schedule)
    count = "one expert" if len(entries) == 1 else f"{len(entries)} experts"
    say(f"{folder}: training {count} takes about {duration(seconds)} or less")
    for entry, expert in zip(entries, packaged.train(entries, tasks, probe), strict=True):
        added = zoo.add(entry.name, expert, entry.embedding, entry.domain())
        made = {**expert.recipe, "sha256": expert.extractor.sha256}
        say(f"{added.folder}: {origin(entry.recipe, made)} ({added.megabytes:.1f} MB)")
    if {e.name for e in zoo.entries} <= set(packaged.errors.experts):
        zoo.keep_errors(packaged.errors.of([e.name for e in zoo.entries]))


@app.command("list")
def list_(
    folder: Annotated[str, typer.Argument(metavar="ZOO", help=f"Folder of the zoo, {OR_OPEN}.")],
) -> None:
    """List the experts of a zoo."""
    table = Table(title=shown(folder))
    for column in ("expert", "images embedded", "classes", "with", "MB"):
        table.add_column(column, justify="left" if column == "expert" else "right")
    for entry in _read(folder).entries:
        spec = entry.embedding.spec
        probe = shown(f"{spec['probe']}, {spec['image_size']} px")
        row = (shown(entry.name), str(spec["images"]), str(spec["classes"]), probe)
        table.add_row(*row, "–" if entry.megabytes is None else f"{entry.megabytes:.1f}")
    Console().print(table)
    if folder == OPEN:
        say("It comes without weights: `t2v zoo make FOLDER --experts NAME` trains an expert.")


def _read(folder: str) -> AnyZoo:
    from t2v.experts.open_zoo import OpenZoo
    from t2v.experts.zoo_folder import Zoo

    return OpenZoo() if folder == OPEN else Zoo(folder)


@app.command()
def remove(
    folder: Folder, name: Annotated[str, typer.Argument(help="Name of the expert.")]
) -> None:
    """Remove an expert from a zoo and from disk."""
    from t2v.experts.zoo_folder import Zoo

    Zoo(folder).remove(name)
    say(f"{folder}: {name} is gone")


@app.command()
def freeze(folder: Folder) -> None:
    """Take the common trivial embedding from all present experts; distances by it change."""
    from t2v.experts.zoo_folder import Zoo

    zoo = Zoo(folder)
    zoo.freeze_trivial()
    say(f"{folder}: the common trivial embedding is the mean over {len(zoo.entries)} experts")


@app.command()
def errors(
    folder: Folder,
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGES...", help="Labelled images of a task each, two or more."),
    ],
    weights: Weights = None,
    device: Device = "auto",
    max_images: MaxImages = 1000,
    jobs: Annotated[
        int | None, typer.Option(help="Number of processes; default: one per core.", min=1)
    ] = None,
    groups: Groups = None,
    skip_bad: SkipBad = False,
    seed: Seed = 0,
) -> None:
    """Measure all experts on other tasks, a quarter of their images held out; for model2vec.

    What is computed is kept in T2V_CACHE (default: .cache/t2v), so that a run that was killed
    continues, and tasks can be added by naming all of them again.
    """
    from t2v.experts.zoo_errors import measure_errors
    from t2v.experts.zoo_folder import Zoo

    if len(images) < 2:
        raise InputError(f"{images[0]}: nothing can be learnt from one task; give two or more")
    zoo = Zoo(folder)
    if not zoo.entries:
        raise InputError(f"{folder}: the zoo is empty; `t2v zoo add` adds experts to it")
    probe = zoo.load_probe(weights=weights, device=device)
    check_writable(folder / "errors.part")
    names = [task_name(path) for path in images]
    if len(set(names)) < len(names):
        raise InputError(f"tasks {', '.join(names)}: each needs a name of its own")
    options: Any = {"groups": groups, "skip_bad": skip_bad, "progress": True}
    found = measure_errors(
        [read_task(path, probe, **options) for path in images],
        {entry.name: entry.expert(device) for entry in zoo.entries},
        probe,
        seed=seed,
        max_images=max_images,
        jobs=jobs,
        progress=True,
    )
    zoo.keep_errors(found)
    say(f"{folder}: the errors of {len(found.experts)} experts on {len(found.tasks)} tasks")


def recommend_expert(
    images: Path,
    zoo_folder: str,
    *,
    strategy: str,
    trivial: str,
    top: int,
    report: Path | None,
    as_json: bool,
    splits: int,
    probe: str | None,
    weights: Path | None,
    image_size: int | None,
    device: str,
    max_images: int,
    groups: str | None,
    skip_bad: bool,
    seed: int,
) -> None:
    """Rank the experts of a zoo for images; arguments as of the command `t2v recommend`."""
    import numpy as np

    from t2v.cli.plain_words import verdict
    from t2v.cli.report import check_place, write_report
    from t2v.embedding import domain2vec, task2vec
    from t2v.many_tasks import embed_halves
    from t2v.model2vec import Model2Vec
    from t2v.pretrained.thresholds import threshold_of
    from t2v.recommendation import STRATEGIES
    from t2v.recommendation import recommend as rank
    from t2v.selection import Nearest

    if report is not None:
        check_place(report)
    if splits == 1:
        raise InputError("--splits 1: one alone has no spread; take two or more, or 0")
    if strategy not in (*STRATEGIES, "model2vec"):
        raise InputError(
            f"--strategy {strategy} is not one of {', '.join(STRATEGIES)}, model2vec; others that "
            "learn from the errors of the experts need an error matrix, see t2v.selection"
        )
    zoo = _read(zoo_folder)
    if not zoo.entries:
        raise InputError(f"{zoo_folder}: the zoo is empty; `t2v zoo add` adds experts to it")
    by_domain = strategy == "domain"
    if trivial not in ("own", "common"):
        raise InputError(f"--trivial {trivial}: choose own or common")
    if trivial == "common" and strategy not in ("symmetric", "asymmetric"):
        raise InputError(f"--trivial common goes with symmetric or asymmetric, not {strategy}")
    sources = [entry.domain() if by_domain else entry.embedding for entry in zoo.entries]
    ranking = STRATEGIES.get(strategy)
    if ranking is not None and trivial == "common":
        name = f"{strategy}, common t₀"
        ranking = Nearest(ranking.kind, alpha=ranking.alpha, trivial=zoo.trivial, name=name)
    if ranking is None:
        known = zoo.errors
        model = Model2Vec.fit(known.tasks, known.errors, sources, np.isfinite(known.errors))
        unmeasured = [known.experts[m] for m in np.flatnonzero(np.isnan(known.errors).all(0))]
        if unmeasured and not as_json:
            say(
                f"{', '.join(unmeasured)}: no errors are known, so only the training task counts; "
                "`t2v zoo errors` measures them"
            )
        ranking = Nearest(
            lambda targets, _: np.array([model.distance(t) for t in targets]), name=strategy
        )
    network = zoo.load_probe(probe, weights, image_size, device)
    progress = not as_json
    options: Any = {"groups": groups, "skip_bad": skip_bad, "progress": progress}
    task = read_task(images, network, max_images=max_images, seed=seed, **options)

    def embed(part, seed):
        if by_domain:
            return domain2vec(part, network, "second")
        return task2vec(part, network, seed=seed, progress=progress)

    halves = embed_halves(task, splits, embed, seed)
    # a probe's threshold is of the distance of tasks, each with its own trivial embedding
    comparable = not by_domain and trivial == "own"
    threshold = threshold_of(network.sha256, network.image_size) if comparable else None
    found = rank(embed(task, seed), sources, halves, strategy=ranking, threshold=threshold)
    if report is not None:
        facts = (
            f"Embedded: {len(task)} images in {task.num_classes} classes, with {network.name} "
            f"at {network.image_size} px."
        )
        write_report(found, report, top=top, facts=facts)
    if as_json:
        print(json.dumps(found.as_dict(top)))
        return
    Console().print(_table(found, top))
    say(verdict(found))
    if report is not None:
        say(f"{report}: what to do next")
    if zoo_folder == OPEN and found.use in found.experts:
        say(f"To get this expert: t2v zoo make FOLDER --experts {shlex.quote(found.use)}")


def _table(found: Recommendation, top: int) -> Table:
    table = Table(title=shown(f"experts for {found.task}"))
    for column in ("expert", "distance", "±", "symmetric", "nearest in"):
        table.add_column(column, justify="left" if column == "expert" else "right")
    for i, name in enumerate(found.experts[:top]):
        spread = f"{found.spread[i]:.3f}" if found.halves else "–"
        top_share = f"{found.top_share[i]:.0%}" if found.halves else "–"
        distance, symmetric = f"{found.distance[i]:.3f}", f"{found.symmetric[i]:.3f}"
        table.add_row(shown(name), distance, spread, symmetric, top_share)
    return table
