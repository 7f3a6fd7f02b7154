"""The commands of a zoo of experts: `t2v zoo add|list|remove|errors` and `t2v recommend`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from t2v.cli.options import Device, Images, ImageSize, Json, Seed, Weights, read_task, say
from t2v.errors import InputError

if TYPE_CHECKING:
    from t2v.recommendation import Recommendation

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
        int, typer.Option(help="Number of fine-tuning steps, 64 images each.", min=2)
    ] = 1000,
    max_images: MaxImages = 1000,
    seed: Seed = 0,
) -> None:
    """Add an expert: fine-tune one on a folder of images, or add an existing one."""
    from t2v.embedding import domain2vec, task2vec
    from t2v.experts.zoo_folder import Zoo, read_expert

    zoo = Zoo(folder)
    name = name or (what.resolve().name if what.is_dir() else what.stem)
    zoo.check_new(name)
    if what.is_file() and what.suffix != ".csv" and task is None:
        raise InputError(f"{what}: give the images on which this expert was trained, by --task")
    generic = zoo.load_probe(probe, weights, image_size, device)
    training_task = read_task(task or what, generic, name, progress=True)
    if task is None:
        expert = zoo.train(training_task, generic, steps, seed, progress=True)
    else:
        expert = read_expert(what, training_task, network or generic.name, generic)
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


@app.command("list")
def list_(folder: Folder) -> None:
    """List the experts of a zoo."""
    from t2v.experts.zoo_folder import Zoo

    table = Table(title=str(folder))
    for column in ("expert", "images embedded", "classes", "with", "MB"):
        table.add_column(column, justify="left" if column == "expert" else "right")
    for entry in Zoo(folder).entries:
        spec = entry.embedding.spec
        probe = f"{spec['probe']}, {spec['image_size']} px"
        row = (entry.name, str(spec["images"]), str(spec["classes"]), probe)
        table.add_row(*row, f"{entry.megabytes:.1f}")
    Console().print(table)


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
    found = measure_errors(
        [read_task(path, probe, progress=True) for path in images],
        {entry.name: entry.expert(device) for entry in zoo.entries},
        probe,
        seed=seed,
        max_images=max_images,
        jobs=jobs,
        progress=True,
    )
    zoo.keep_errors(found)
    say(f"{folder}: the errors of {len(found.experts)} experts on {len(found.tasks)} tasks")


def recommend(
    images: Images,
    zoo_folder: Annotated[Path, typer.Option("--zoo", help="Folder of the zoo.")],
    strategy: Annotated[
        str,
        typer.Option(
            help="Rank by symmetric, asymmetric or domain distance, or by model2vec, which "
            "learns from `t2v zoo errors`."
        ),
    ] = "asymmetric",
    trivial: Annotated[
        str, typer.Option(help="Trivial embedding: own (of each task) or common (of the zoo).")
    ] = "own",
    top: Annotated[int, typer.Option(help="Number of experts to show.", min=1)] = 5,
    report: Annotated[
        Path | None, typer.Option(help="Write a report to this file (.html).")
    ] = None,
    as_json: Json = False,
    splits: Annotated[
        int,
        typer.Option(help="Number of splits into halves, for the uncertainty; 0: none.", min=0),
    ] = 4,
    probe: ZooProbe = None,
    weights: Weights = None,
    image_size: ImageSize = None,
    device: Device = "auto",
    max_images: MaxImages = 1000,
    seed: Seed = 0,
) -> None:
    """Rank the experts of a zoo for your images, and say how certain the ranking is."""
    import numpy as np

    from t2v.cli.plain_words import verdict
    from t2v.cli.report import check_place, write_report
    from t2v.embedding import domain2vec, task2vec
    from t2v.experts.zoo_folder import Zoo
    from t2v.many_tasks import embed_halves
    from t2v.model2vec import Model2Vec
    from t2v.pretrained.thresholds import threshold_of
    from t2v.recommendation import STRATEGIES
    from t2v.recommendation import recommend as rank
    from t2v.selection import Nearest

    if report is not None:
        check_place(report)
    if strategy not in (*STRATEGIES, "model2vec"):
        raise InputError(
            f"--strategy {strategy} is not one of {', '.join(STRATEGIES)}, model2vec; others that "
            "learn from the errors of the experts need an error matrix, see t2v.selection"
        )
    zoo = Zoo(zoo_folder)
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
    task = read_task(images, network, max_images=max_images, seed=seed, progress=progress)

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


def _table(found: Recommendation, top: int) -> Table:
    table = Table(title=f"experts for {found.task}")
    for column in ("expert", "distance", "±", "symmetric", "nearest in"):
        table.add_column(column, justify="left" if column == "expert" else "right")
    for i, name in enumerate(found.experts[:top]):
        spread = f"{found.spread[i]:.3f}" if found.halves else "–"
        top_share = f"{found.top_share[i]:.0%}" if found.halves else "–"
        distance, symmetric = f"{found.distance[i]:.3f}", f"{found.symmetric[i]:.3f}"
        table.add_row(name, distance, spread, symmetric, top_share)
    return table
