"""`t2v recommend` without a zoo: published networks on your images, and how sure the answer is."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from t2v.candidates import (
    Candidate,
    FileImages,
    HandMade,
    Images,
    Measured,
    Network,
    compare,
    load_networks,
    measure,
    published,
    similar_tasks,
)
from t2v.candidates.fine_tuned import fine_tune_network
from t2v.candidates.loading import MARGIN, packaged
from t2v.candidates.published import short
from t2v.candidates.similar import MOST
from t2v.cli.answer import Answer
from t2v.cli.network_report import write_network_report
from t2v.cli.network_words import fine_tuned_words, interval, network_verdict, similar_words
from t2v.cli.options import say, task_name
from t2v.cli.plain_words import duration
from t2v.cli.report import check_place
from t2v.errors import FileError, InputError
from t2v.reading.scan import scan_folder
from t2v.reading.table import is_table, read_csv
from t2v.task import draw_evenly

PACKAGES = ("t2v", "torch", "torchvision", "scikit-learn", "numpy")


def recommend_network(
    path: Path,
    *,
    candidates: Sequence[str] | None,
    max_parameters: float | None,
    licence: str | None,
    weights: Path | None,
    image_size: int | None,
    max_images: int,
    finetune_top: int,
    report: Path | None,
    as_json: bool,
    device: str,
    seed: int,
) -> bool:
    """Compare networks on the images and print the answer; arguments as of `t2v recommend`.

    Returns:
        Whether some network does better than chance.
    """
    if report is not None:
        check_place(report)
    listed = published(candidates, weights=weights, max_parameters=max_parameters, licence=licence)
    name, images, labels, classes, notes = _read(path, max_images, seed)
    networks, left_out = load_networks(listed, image_size, device)
    networks = [n for n in networks if _fits(n.candidate, max_parameters)]
    if not networks:
        raise FileError(
            f"{', '.join(c.name for c in listed)}: weights neither here nor to be downloaded "
            f"({_reason(left_out)}); give --weights FOLDER, or --candidates squeezenet1_1, whose "
            "weights come with the package"
        )
    tell = _silent if as_json else say
    if left_out:
        one = len(left_out) == 1
        tell(
            f"{', '.join(left_out)}: left out, because {'its' if one else 'their'} weights are "
            f"neither here nor can be downloaded ({_reason(left_out)}); --weights FOLDER takes "
            f"{next(iter(left_out)).removeprefix('timm:')}.safetensors or .pth"
        )
    for note in notes:
        tell(note)
    answer = examined(
        name, images, labels, classes, networks, left_out, notes,
        image_size=image_size, finetune_top=finetune_top, device=device, seed=seed, tell=tell,
    )  # fmt: skip
    if report is not None:
        write_network_report(answer, report)
    if as_json:
        print(json.dumps(answer.as_dict()))
    else:
        show(answer)
        if report is not None:
            say(f"{report}: all numbers, and how they were made")
    return answer.comparison.beats_chance


def examined(
    name: str,
    images: Images,
    labels: NDArray,
    classes: Sequence[str],
    networks: Sequence[Network],
    left_out: dict[str, str],
    notes: list[str],
    *,
    image_size: int | None,
    finetune_top: int = 0,
    device: str,
    seed: int,
    tell: Any,
) -> Answer:
    """Measure networks on images with labels.

    Args:
        name: name of the task.
        images: N images.
        labels: `[N]`, class of each image in 0..K-1.
        classes: K names of classes.
        networks: networks to compare.
        left_out: why a network is missing, by its name.
        notes: what was left out of the images; sentences are added.
        image_size: pixels; `None`: the networks' own.
        finetune_top: number of networks to fine-tune.
        device: device of the probe of the open zoo.
        seed: seed of folds, draws and bootstrap.
        tell: function that prints a sentence while the work goes on.
    """
    hand = HandMade(round((image_size or 224) * MARGIN))
    count = "one network" if len(networks) == 1 else f"{len(networks)} networks"

    def announce(seconds: float) -> None:
        tell(
            f"{name}: features of {len(images.ids):,} images by {count} take about "
            f"{duration(seconds)}; they are kept, also if you stop here"
        )

    progress = tell is not _silent
    measured = measure(images, [*networks, hand], announce=announce, progress=progress)
    if isinstance(images, FileImages):
        images.report(measured.reasons)
    measured, of_images = _without_copies(measured, labels, notes, tell)
    _check_classes(name, of_images, labels, classes)
    comparison = compare(measured, of_images, seed=seed, progress=progress)
    similar, some = None, _Some(images, measured.usable)
    if comparison.classes <= MOST:
        similar = similar_tasks(some, of_images, classes, seed=seed, device=device)
    by_name = {network.name: network for network in networks}
    tuned = []
    for best in comparison.names[:finetune_top]:

        def training(seconds: float, best: str = best) -> None:
            tell(f"{best}: fine-tuning takes about {duration(seconds)}")

        tuned.append(
            fine_tune_network(
                by_name[best],
                some,
                of_images,
                classes,
                seed=seed,
                announce=training,
                progress=progress,
            )
        )
    facts = {
        "date": date.today().isoformat(),
        "command": shlex.join(["t2v", *sys.argv[1:]]),
        "seed": seed,
        "device": str(networks[0].probe.device),
        "versions": {package: metadata.version(package) for package in PACKAGES},
        "images_sha256": _checksum(measured),
    }
    return Answer(name, comparison, by_name, similar, tuned, left_out, notes, facts)


def show(answer: Answer) -> None:
    """Print table and verdict."""
    c, on_similar = answer.comparison, answer.similar.errors if answer.similar else {}
    table = Table(title=f"networks for {answer.task}")
    columns = ("network", "million", "error", "95%", "kNN", "P(best)", "LEEP", "LogME", "similar")
    for column in columns:
        table.add_column(column, justify="left" if column == "network" else "right", no_wrap=True)
    for m, name in enumerate(c.names):
        error = c.errors[m]
        table.add_row(
            f"{name} •" if c.inside[m] and c.beats_chance else name,
            f"{c.parameters[m] / 1e6:.1f}",
            f"{error.value:.1%}",
            interval(error),
            f"{c.neighbours[m]:.1%}",
            f"{c.p_best[m]:.0%}",
            _number(c.leep[m]),
            _number(c.logme[m]),
            f"{on_similar[name]:.1%}" if name in on_similar else "–",
        )
    nothing = ("–", "–", "–", "–", "–")
    if c.by_hand is not None:
        table.add_row("(HOG)", "0", f"{c.by_hand.value:.1%}", interval(c.by_hand), *nothing)
    table.add_row("(one class)", "0", f"{c.chance:.1%}", "", *nothing)
    Console().print(table)
    say(network_verdict(c))
    if answer.similar is not None:
        say(similar_words(answer.similar))
    for tuned in answer.fine_tuned:
        say(fine_tuned_words(tuned))
    licences: dict[str, list[str]] = {}
    for name in c.names:
        licences.setdefault(short(answer.networks[name].candidate.licence), []).append(name)
    say("Licences: " + "; ".join(f"{', '.join(n)}: {words}" for words, n in licences.items()))
    if any(packaged(answer.networks[name]) for name in c.names):
        say("squeezenet1_1: the weights of the package, which have no head of their own (no LEEP).")


@dataclass(frozen=True)
class _Some:
    """Some of many images."""

    whole: Images
    index: NDArray[np.intp]

    @property
    def ids(self) -> Sequence[str]:
        return [self.whole.ids[i] for i in self.index]

    def open(self, index: int) -> Any:
        return self.whole.open(int(self.index[index]))


def _read(
    path: Path, max_images: int, seed: int
) -> tuple[str, FileImages, NDArray, list[str], list[str]]:
    """Name, images, labels and classes of a folder or table, and what was left out."""
    found = read_csv(path) if is_table(path) else scan_folder(path)
    name, classes = task_name(path), list(found.classes)
    paths, labels = list(found.paths), torch.tensor(found.labels)
    notes = [f"{name}: {found.doubts}"] if found.doubts else []
    if max_images < len(paths):
        if max_images < 2 * len(classes):
            raise InputError(
                f"--max-images {max_images}: {name} has {len(classes)} classes, and two images of "
                "each are needed"
            )
        drawn = draw_evenly(labels, max_images, seed).sort().values
        notes.append(
            f"{name}: {max_images:,} of {len(paths):,} images, drawn evenly over "
            f"{len(classes)} classes (--max-images)"
        )
        paths, labels = [paths[i] for i in drawn.tolist()], labels[drawn]
    smallest = torch.bincount(labels, minlength=len(classes))
    _check_counts(name, smallest.numpy(), classes)
    return name, FileImages(paths), labels.numpy(), classes, notes


def _without_copies(
    measured: Measured, labels: NDArray, notes: list[str], tell: Any
) -> tuple[Measured, NDArray]:
    """Each image once: a copy in another fold would be recognised, not classified."""
    copies = measured.copies
    if copies.any():
        notes.append(
            f"{copies.sum()} of {len(copies):,} images are copies of others, and are left out"
        )
        tell(notes[-1])
        measured = measured.of(~copies)
    return measured, labels[measured.usable]


def _check_classes(name: str, left: NDArray, before: NDArray, classes: Sequence[str]) -> None:
    _check_counts(name, np.bincount(left, minlength=len(classes)), classes)


def _check_counts(name: str, counts: NDArray, classes: Sequence[str]) -> None:
    for k, count in enumerate(counts):
        if count < 2:
            raise InputError(
                f"{name}: class {classes[k]!r} has {'no' if count == 0 else 'one'} usable image; "
                "two are needed, one to learn from and one to be measured on"
            )


def _fits(candidate: Candidate, max_parameters: float | None) -> bool:
    return max_parameters is None or (candidate.parameters or 0) <= max_parameters


def _reason(left_out: dict[str, str]) -> str:
    first = next(iter(left_out.values()), "too many parameters")
    return first.split("(")[-1].split(")")[0].split(">")[0].replace("<urlopen error ", "").strip()


def _checksum(measured: Measured) -> str:
    import hashlib

    return hashlib.sha256("".join(sorted(measured.ids)).encode()).hexdigest()


def _silent(text: str) -> None:
    pass


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"
