"""The command `t2v recommend`: published networks, or the experts of a zoo, for your images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from t2v.cli.options import Device, Groups, Images, Json, Seed, SkipBad
from t2v.cli.zoo import OPEN, OR_OPEN, recommend_expert
from t2v.errors import InputError

OF_NETWORKS = ("candidates", "max_parameters", "licence", "finetune_top")
OF_ZOO = ("strategy", "trivial", "splits", "probe", "groups", "skip_bad")
MOST_NETWORK, MOST_ZOO = 2000, 1000  # images, if nothing is said

Network = "Published networks"
OfZoo = "With --zoo"


def recommend(
    context: typer.Context,
    images: Images,
    candidates: Annotated[
        str | None,
        typer.Option(
            help="Networks to compare, with commas between: torchvision's names, or timm:NAME; "
            "default: seven from small to large.",
            rich_help_panel=Network,
        ),
    ] = None,
    max_parameters: Annotated[
        str | None,
        typer.Option(
            help="Largest number of weights of a network, e.g. 10M.", rich_help_panel=Network
        ),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(
            help="Words, with commas between, one of which a licence must have, e.g. apache,bsd.",
            rich_help_panel=Network,
        ),
    ] = None,
    finetune_top: Annotated[
        int,
        typer.Option(
            help="Number of networks that are fine-tuned too, the best ones, and measured on a "
            "quarter of the images.",
            min=0,
            rich_help_panel=Network,
        ),
    ] = 0,
    zoo: Annotated[
        str | None,
        typer.Option(
            help=f"Rank the experts of a zoo: its folder, {OR_OPEN}.", rich_help_panel=OfZoo
        ),
    ] = None,
    strategy: Annotated[
        str,
        typer.Option(
            help="Rank by symmetric, asymmetric or domain distance, or by model2vec, which "
            "learns from `t2v zoo errors`.",
            rich_help_panel=OfZoo,
        ),
    ] = "asymmetric",
    trivial: Annotated[
        str,
        typer.Option(
            help="Trivial embedding: own (of each task) or common (of the zoo).",
            rich_help_panel=OfZoo,
        ),
    ] = "own",
    splits: Annotated[
        int,
        typer.Option(
            help="Number of splits into halves, for the uncertainty; 0: none.",
            min=0,
            rich_help_panel=OfZoo,
        ),
    ] = 4,
    probe: Annotated[
        str | None,
        typer.Option("--probe", help="Probe; default: that of the zoo.", rich_help_panel=OfZoo),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Folder with the networks' weights, NAME.safetensors or .pth; with --zoo, a state "
            "dict of the probe."
        ),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(
            help="Image size in pixels; default: each network's own, mostly 224. 96 is five times "
            "as fast.",
            min=16,
        ),
    ] = None,
    max_images: Annotated[
        int | None,
        typer.Option(
            help="Use at most this many images, drawn evenly over classes; default: "
            f"{MOST_NETWORK}, with --zoo {MOST_ZOO}.",
            min=2,
        ),
    ] = None,
    top: Annotated[
        int, typer.Option(help="Number of experts of a zoo to show.", min=1, rich_help_panel=OfZoo)
    ] = 5,
    report: Annotated[
        Path | None, typer.Option(help="Write a report to this file (.html).")
    ] = None,
    as_json: Json = False,
    groups: Groups = None,
    skip_bad: SkipBad = False,
    device: Device = "auto",
    seed: Seed = 0,
) -> None:
    """Say which published network suits your images, or which expert of a zoo, and how surely.

    Networks are ranked by the cross-validated error of a linear classifier on their features, which
    are computed once and kept (in T2V_CACHE, default .cache/t2v). Exit code 3: none of them does
    better than naming one class always.
    """
    others = OF_NETWORKS if zoo is not None else OF_ZOO
    given = [name for name in others if _is_given(context, name)]
    if given:
        option = "--" + given[0].replace("_", "-")
        raise InputError(
            f"{option} is for published networks, not for the experts of a zoo: leave out --zoo"
            if zoo is not None
            else f"{option} goes with --zoo: give the folder of a zoo, or `{OPEN}`"
        )
    if zoo is not None:
        recommend_expert(
            images,
            zoo,
            strategy=strategy,
            trivial=trivial,
            top=top,
            report=report,
            as_json=as_json,
            splits=splits,
            probe=probe,
            weights=weights,
            image_size=image_size,
            device=device,
            max_images=max_images or MOST_ZOO,
            groups=groups,
            skip_bad=skip_bad,
            seed=seed,
        )
        return
    from t2v.cli.networks import recommend_network

    answered = recommend_network(
        images,
        candidates=None if candidates is None else _names(candidates),
        max_parameters=None if max_parameters is None else _count(max_parameters),
        licence=licence,
        weights=weights,
        image_size=image_size,
        max_images=max_images or MOST_NETWORK,
        finetune_top=finetune_top,
        report=report,
        as_json=as_json,
        device=device,
        seed=seed,
    )
    if not answered:
        raise typer.Exit(3)


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise InputError("--candidates: no name given")
    return names


def _count(text: str) -> float:
    """A number with k, M or B behind it."""
    units = {"k": 1e3, "m": 1e6, "b": 1e9}
    unit = units.get(text[-1:].lower(), 1.0)
    try:
        count = float(text[:-1] if unit > 1 else text) * unit
    except ValueError:
        count = float("nan")
    if not count > 0:
        raise InputError(f"--max-parameters {text}: expected a number such as 10M")
    return count
