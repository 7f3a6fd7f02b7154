"""A zoo on disk: a folder with one sub-folder per expert.

Each sub-folder holds `expert.safetensors` (network and recipe) and `embedding.safetensors` (the
task it was trained on). It appears when both are whole: it is written under a hidden name and then
renamed. All embeddings of a zoo are of one probe, so that they can be compared.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from t2v.embedding import Embedding, task2vec
from t2v.errors import FileError, InputError
from t2v.experts.expert import FORMAT, Expert
from t2v.experts.fine_tuning import fine_tune
from t2v.experts.training import Schedule
from t2v.probe import Probe, load_probe
from t2v.task import Task

EXPERT, EMBEDDING = "expert.safetensors", "embedding.safetensors"
_OF_PROBE = ("probe", "weights_sha256", "image_size")


@dataclass(frozen=True, eq=False)
class Entry:
    """One expert of a zoo.

    Attributes:
        name: of its sub-folder, and of its embedding.
        folder: where it lies.
        embedding: of the task it was trained on.
    """

    name: str
    folder: Path
    embedding: Embedding

    def expert(self) -> Expert:
        """The expert itself, read from disk."""
        return Expert.load(self.folder / EXPERT)

    @property
    def megabytes(self) -> float:
        """What the expert takes on disk."""
        return (self.folder / EXPERT).stat().st_size / 1e6


def entries(directory: str | Path) -> list[Entry]:
    """The experts of a zoo, by name.

    Raises:
        FileError: if there is no such folder, or a sub-folder that is not of a zoo.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise FileError(f"{directory}: no such zoo; `t2v zoo add {directory} PICTURES` makes one")
    folders = sorted(p for p in directory.iterdir() if p.is_dir() and p.name[0] != ".")
    for folder in folders:
        for name in (EMBEDDING, EXPERT):
            if not (folder / name).is_file():
                raise FileError(f"{folder}: not an expert of a zoo, it has no {name}")
    return [Entry(p.name, p, Embedding.load(p / EMBEDDING)) for p in folders]


def check_new(directory: str | Path, name: str, probe: Probe) -> None:
    """Refuse what could not be added, before any time goes into it.

    Raises:
        InputError: if the name cannot be a folder's or is taken, or the probe is another than that
            of the zoo.
        FileError: if the folder that is to hold the zoo does not exist, or is not one.
    """
    directory = Path(directory)
    if not name or name[0] == "." or Path(name).name != name:
        raise InputError(f"expert {name!r}: its name becomes a folder's: give it a plain one")
    if not directory.exists():
        if not directory.absolute().parent.is_dir():
            raise FileError(f"{directory}: the folder that is to hold it does not exist")
        return
    there = entries(directory)
    if name in {entry.name for entry in there}:
        raise InputError(f"{directory}: has an expert {name!r}; remove it first, or take --name")
    for entry in there[:1]:
        check_probe(entry.embedding, probe)


def check_probe(embedding: Embedding, probe: Probe) -> None:
    """Refuse a probe with which a zoo's embeddings were not made.

    Raises:
        InputError: naming the first thing that differs.
    """
    have = dict(zip(_OF_PROBE, (probe.name, probe.sha256, probe.image_size), strict=True))
    for key, value in have.items():
        wanted = embedding.spec[key]
        if wanted != value:
            raise InputError(
                f"the zoo's tasks are embedded with {key} {wanted}, not {value}: give the same "
                "--probe, --weights and --image-size"
            )


def read_expert(path: Path, task: Task, network: str, like: Probe) -> Expert:
    """A network from a file as an expert on a task.

    Args:
        path: what `Expert.save` wrote, or a state dict of a torchvision classifier.
        task: what it was trained on; its name becomes the expert's.
        network: architecture of the state dict.
        like: the probe, whose image size and device a state dict's network takes over.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            saved = (file.metadata() or {}).get("format") == FORMAT
    except (SafetensorError, OSError):
        saved = False  # a .pth, or nothing at all: then load_probe says what is wrong
    if saved:
        return replace(Expert.load(path, device=like.device), name=task.name)
    probe = load_probe(network, path, like.image_size, like.device)
    return Expert(task.name, probe, classes=tuple(task.classes), task=task.name)


def train(
    directory: str | Path, task: Task, probe: Probe, steps: int, seed: int, progress: bool = False
) -> Expert:
    """Fine-tune an expert for a zoo; its checkpoint lies hidden there until it is added.

    A run that was killed goes on from it, if it is started again with the same arguments.
    """
    directory = Path(directory)
    made = not directory.exists()
    directory.mkdir(exist_ok=True)
    checkpoint = _checkpoint(directory, task.name)
    options = {"seed": seed, "checkpoint": checkpoint, "progress": progress}
    try:
        return fine_tune(task, probe, schedule=Schedule(steps), **options)
    except BaseException:
        if made and not checkpoint.exists():
            directory.rmdir()
        raise


def _checkpoint(directory: Path, name: str) -> Path:
    return directory / f".{name}.checkpoint"


def add(directory: str | Path, name: str, expert: Expert, embedding: Embedding) -> Entry:
    """Put an expert into a zoo, which is made if need be; whole or not at all."""
    directory = Path(directory)
    made = not directory.exists()
    directory.mkdir(exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=directory, prefix=f".{name}.part-"))
    try:
        expert.save(draft / EXPERT)
        embedding.save(draft / EMBEDDING)
        draft.chmod(0o755)
        os.rename(draft, directory / name)
        _checkpoint(directory, name).unlink(missing_ok=True)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        if made:
            directory.rmdir()
        raise
    return Entry(name, directory / name, embedding)


def remove(directory: str | Path, name: str) -> None:
    """Take an expert out of a zoo.

    Raises:
        InputError: if it is not there.
    """
    known = {entry.name: entry for entry in entries(directory)}
    if name not in known:
        names = ", ".join(known) or "none"
        raise InputError(f"{directory}: has no expert {name!r}; it has: {names}")
    gone = Path(directory) / f".{name}.removed"
    shutil.rmtree(gone, ignore_errors=True)  # of a removal that was killed
    os.rename(known[name].folder, gone)  # at once, so that no half of it is ever read
    shutil.rmtree(gone)


def embed_halves(
    task: Task, probe: Probe, splits: int, seed: int = 0, **options: object
) -> list[tuple[Embedding, Embedding]]:
    """Embed both halves of a task's training images, for several random splits.

    Args:
        task: at least two training images per class.
        probe: see `load_probe`.
        splits: number of splits; each costs about as much as embedding the task once.
        seed: of the splits; the embeddings have seeds of their own.
        **options: of `task2vec`.

    Raises:
        InputError: naming a class with one image.
    """
    if splits == 1:
        raise InputError("splits: one alone has no spread; take two or more, or 0")
    train = task.train
    few = [
        name for k, name in enumerate(task.classes) if splits and int((train.labels == k).sum()) < 2
    ]
    if few:
        raise InputError(
            f"task {task.name!r}: class {few[0]!r} has fewer than two pictures, so its halves "
            "cannot tell how sure the answer is; add some, or take --splits 0"
        )
    generator = torch.Generator().manual_seed(seed)
    pairs = []
    for split in range(splits):
        halves = _halves(train, generator)
        a, b = (
            task2vec(half, probe, seed=seed + 1 + 2 * split + i, **options)
            for i, half in enumerate(halves)
        )
        pairs.append((a, b))
    return pairs


def _halves(train: Task, generator: torch.Generator) -> tuple[Task, Task]:
    """Two halves of every class; of an odd number, chance says which half gets one more."""
    first = torch.zeros(len(train), dtype=torch.bool)
    for k in range(train.num_classes):
        of_class = (train.labels == k).nonzero().flatten()
        shuffled = of_class[torch.randperm(len(of_class), generator=generator)]
        extra = len(of_class) % 2 * int(torch.randint(2, (1,), generator=generator))
        first[shuffled[: len(of_class) // 2 + extra]] = True
    return train.subset(first), train.subset(~first)
