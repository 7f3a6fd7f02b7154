"""A zoo on disk: a folder with one sub-folder per expert.

Each sub-folder holds `expert.safetensors` (network and recipe), and the embedding and the domain
embedding of the training task, `embedding.safetensors` and `domain.safetensors`. It appears when
all are whole. All embeddings of a zoo are of one probe, so that they can be compared. Beside the
sub-folders, `trivial.safetensors` holds the zoo's common trivial embedding, which later experts do
not change, and `errors.safetensors` the experts' errors on other tasks, if they were measured.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from t2v._run.files import adding_folder, replacing
from t2v.distances import common_trivial
from t2v.embedding import Embedding
from t2v.errors import FileError, InputError
from t2v.experts.expert import FORMAT, Expert
from t2v.experts.fine_tuning import fine_tune
from t2v.experts.training import Schedule
from t2v.experts.zoo import AnyZoo
from t2v.experts.zoo_errors import ZooErrors
from t2v.probe import Probe, load_probe
from t2v.task import Task

EXPERT, EMBEDDING, DOMAIN = "expert.safetensors", "embedding.safetensors", "domain.safetensors"
TRIVIAL, ERRORS = "trivial.safetensors", "errors.safetensors"
SAME_PROBE = ("probe", "weights_sha256", "image_size")


@dataclass(frozen=True, eq=False)
class Entry:
    """One expert of a zoo.

    Attributes:
        name: name of its sub-folder, and of its embeddings.
        folder: path of its sub-folder.
        embedding: embedding of its training task.
    """

    name: str
    folder: Path
    embedding: Embedding

    def expert(self, device: str = "auto") -> Expert:
        """The expert itself, read from disk, on a device."""
        return Expert.load(self.folder / EXPERT, device=device)

    def domain(self) -> Embedding:
        """The domain embedding of its training task, read from disk.

        Raises:
            FileError: if it has none: zoos made by t2v 0.1 do not.
        """
        path = self.folder / DOMAIN
        if not path.is_file():
            raise FileError(f"{self.folder}: has no {DOMAIN}; remove the expert and add it again")
        return Embedding.load(path)

    @property
    def megabytes(self) -> float:
        """Size of the expert on disk, MB."""
        return (self.folder / EXPERT).stat().st_size / 1e6


class Zoo(AnyZoo):
    """A folder of experts, read once.

    Args:
        folder: the zoo's folder; `train` and `add` make it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._entries: list[Entry] | None = None

    @property
    def entries(self) -> list[Entry]:
        """The experts by name.

        Raises:
            FileError: if there is no such folder, or a sub-folder that is not of a zoo.
        """
        if self._entries is None:
            self._entries = self._read()
        return self._entries

    def _read(self) -> list[Entry]:
        if not self.folder.is_dir():
            raise FileError(
                f"{self.folder}: no such zoo; `t2v zoo add {self.folder} IMAGES` makes one"
            )
        folders = sorted(p for p in self.folder.iterdir() if p.is_dir() and p.name[0] != ".")
        for folder in folders:
            for name in (EMBEDDING, EXPERT):
                if not (folder / name).is_file():
                    raise FileError(f"{folder}: not an expert of a zoo, it has no {name}")
        return [Entry(p.name, p, Embedding.load(p / EMBEDDING)) for p in folders]

    @property
    def errors(self) -> ZooErrors:
        """Errors of the experts on other tasks, in the order of `entries`.

        Raises:
            FileError: if they have not been measured, or their file is damaged.
            InputError: if their tasks are embedded with another probe than the experts' tasks.
        """
        path = self.folder / ERRORS
        again = f"`t2v zoo errors {self.folder} IMAGES IMAGES...` measures them"
        if not path.is_file():
            raise FileError(f"{self.folder}: the errors of its experts are not known; {again}")
        errors, entries = ZooErrors.load(path), self.entries
        for key in SAME_PROBE if entries else ():
            if errors.tasks[0].spec[key] != entries[0].embedding.spec[key]:
                raise InputError(f"{path}: made with another {key} than the zoo's; {again}")
        return errors.of([entry.name for entry in entries])

    def keep_errors(self, errors: ZooErrors) -> None:
        """Write the errors of the experts on other tasks, in place of those known before."""
        errors.save(self.folder / ERRORS)

    @property
    def spec(self) -> Mapping[str, Any]:
        """Provenance of the first embedding; empty for a zoo that is yet to be made."""
        return super().spec if self.folder.exists() else {}

    def check_new(self, name: str) -> None:
        """Refuse an expert that could not be added, before any time goes into it.

        Raises:
            InputError: if the name cannot be a folder's, is taken or that of the generic network.
            FileError: if the folder that is to hold the zoo does not exist, or is not one.
        """
        if not name or name[0] == "." or Path(name).name != name or name == TRIVIAL:
            raise InputError(f"expert {name!r}: its name becomes a folder's: give it a plain one")
        if name == "generic":
            raise InputError("expert 'generic': this is the name of the probe itself; take --name")
        if not self.folder.exists():
            if not self.folder.absolute().parent.is_dir():
                raise FileError(f"{self.folder}: the folder that is to hold it does not exist")
        elif name in {entry.name for entry in self.entries}:
            raise InputError(
                f"{self.folder}: has an expert {name!r}; remove it first, or take --name"
            )

    def train(
        self, task: Task, probe: Probe, schedule: Schedule, seed: int, progress: bool = False
    ) -> Expert:
        """Fine-tune an expert; its checkpoint lies hidden in the zoo until the expert is added.

        A run that was killed continues from it if it is started again with the same arguments.

        Args:
            task: training task; its name becomes the expert's.
            probe: network to start from.
            schedule: length and learning rate, see `default_schedule`.
            seed: seed of batches and augmentation.
            progress: whether to show a progress bar.
        """
        made = not self.folder.exists()
        self.folder.mkdir(exist_ok=True)
        checkpoint = self._checkpoint(task.name)
        options: dict[str, Any] = {"seed": seed, "checkpoint": checkpoint, "progress": progress}
        try:
            return fine_tune(task, probe, schedule=schedule, **options)
        except BaseException:
            if made and not checkpoint.exists():
                self.folder.rmdir()
            raise

    def add(
        self, name: str, expert: Expert, embedding: Embedding, domain: Embedding | None = None
    ) -> Entry:
        """Add an expert, whole or not at all; the zoo's folder is made if need be.

        A zoo without a common trivial embedding gets one, see `freeze_trivial`.

        Args:
            name: name of the expert.
            expert: the expert.
            embedding: embedding of its training task.
            domain: domain embedding of its training task.
        """
        made = not self.folder.exists()
        self.folder.mkdir(exist_ok=True)
        try:
            with adding_folder(self.folder / name) as draft:
                expert.save(draft / EXPERT)
                embedding.save(draft / EMBEDDING)
                if domain is not None:
                    domain.save(draft / DOMAIN)
        except BaseException:
            if made:
                self.folder.rmdir()
            raise
        self._checkpoint(name).unlink(missing_ok=True)
        self._entries = None
        if len(self.entries) == 1 or not (self.folder / TRIVIAL).is_file():
            self.freeze_trivial()
        return Entry(name, self.folder / name, embedding)

    @property
    def trivial(self) -> np.ndarray:
        """The common trivial embedding `[F]`, for `t2v.distances.with_trivial` or `Nearest`.

        Raises:
            FileError: if the zoo has none, or the file cannot be read.
        """
        path = self.folder / TRIVIAL
        try:
            return load_file(path)["trivial"]
        except (FileNotFoundError, SafetensorError, KeyError):
            raise FileError(
                f"{path}: no common trivial embedding; `t2v zoo freeze {self.folder}` makes it"
            ) from None

    def freeze_trivial(self) -> None:
        """Write the common trivial embedding: the mean over all present experts' training tasks.

        It stays as it is when experts are added or removed, so that no distance changes; to write
        it again changes all distances that use it.

        Raises:
            InputError: if the zoo is empty.
        """
        trivial = common_trivial([entry.embedding for entry in self.entries])
        with replacing(self.folder / TRIVIAL) as draft:
            save_file({"trivial": trivial}, draft)

    def remove(self, name: str) -> None:
        """Remove an expert from the zoo and from disk, and its errors on other tasks.

        Raises:
            InputError: if the zoo has none of this name.
            FileError: if the file of the errors is damaged.
        """
        known = {entry.name: entry for entry in self.entries}
        if name not in known:
            names = ", ".join(known) or "none"
            raise InputError(f"{self.folder}: has no expert {name!r}; it has: {names}")
        if (self.folder / ERRORS).is_file():  # else an expert added under this name had them
            errors = ZooErrors.load(self.folder / ERRORS)
            self.keep_errors(errors.of([other for other in errors.experts if other != name]))
        gone = self.folder / f".{name}.removed"
        shutil.rmtree(gone, ignore_errors=True)  # of a removal that was killed
        os.rename(known[name].folder, gone)  # at once, so that no half of it is ever read
        shutil.rmtree(gone)
        self._entries = None

    def _checkpoint(self, name: str) -> Path:
        return self.folder / f".{name}.checkpoint"


def read_expert(path: Path, task: Task, network: str, like: Probe) -> Expert:
    """A network from a file as an expert.

    Args:
        path: file that `Expert.save` wrote, or a state dict of a torchvision classifier.
        task: training task; its name becomes the expert's.
        network: architecture of the state dict.
        like: probe whose image size and device the network of a state dict takes over.
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
