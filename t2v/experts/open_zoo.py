"""The zoo of the library `open`, which comes with the package: all of its experts but the weights.

`open_zoo.safetensors` has the embeddings of the training tasks and of the library's tasks, and the
errors of the experts on the latter, in single precision; `open_zoo.json` beside it has the names,
the recipes, and how both were made (`python -m data_scripts.zoo.package_open`). `make_experts`
trains the experts by their recipes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from t2v._run.files import replacing, sha256_of
from t2v._run.tensors import read_tensors, write_tensors
from t2v.distances import common_trivial
from t2v.embedding import Embedding
from t2v.errors import FileError, InputError
from t2v.experts.expert import Expert
from t2v.experts.fine_tuning import train_experts
from t2v.experts.training import Schedule
from t2v.experts.zoo import AnyZoo
from t2v.experts.zoo_errors import ABOUT, ZooErrors
from t2v.libraries.expert_tasks import expert_tasks
from t2v.probe import Probe
from t2v.task import Task

FILE = Path(__file__).with_name("open_zoo.safetensors")
FORMAT = "t2v open zoo 1"
NAME = "open"
"""What the command line takes for this zoo in place of a folder."""

RECIPE = ("fingerprint", "images", "schedule", "seed", "start", "versions")
"""What is kept of the recipe of an expert; `sha256` of the weights is added to it."""


@dataclass(frozen=True, eq=False)
class OpenEntry:
    """One expert of the open zoo, without its weights.

    Attributes:
        name: name of the expert and of its training task.
        classes: classes of its training task.
        embedding: embedding of its training task, with group and lineage.
        domain_embedding: domain embedding of its training task, second moments.
        recipe: schedule, seed, `fingerprint` and number of `images` of the training task, sha256 of
            the weights at the `start` and of those that came out, versions of Python and torch.
    """

    name: str
    classes: tuple[str, ...]
    embedding: Embedding
    domain_embedding: Embedding
    recipe: Mapping[str, Any]

    @classmethod
    def of(cls, expert: Expert, embedding: Embedding, domain: Embedding) -> OpenEntry:
        """The entry of a trained expert, and of the embeddings of its training task."""
        recipe = {key: expert.recipe[key] for key in RECIPE} | {"sha256": expert.extractor.sha256}
        return cls(expert.name, tuple(expert.classes), embedding, domain, recipe)

    @property
    def megabytes(self) -> None:
        """No weights are kept."""

    def domain(self) -> Embedding:
        """Domain embedding of its training task."""
        return self.domain_embedding


class OpenZoo(AnyZoo):
    """The zoo in the package; it can be read and trained, but not changed.

    Args:
        path: its file; a `.json` lies beside it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or FILE

    @cached_property
    def about(self) -> Mapping[str, Any]:
        """Names, recipes and provenance: what `open_zoo.json` says.

        Raises:
            FileError: if one of the files is missing or damaged.
        """
        beside = self.path.with_suffix(".json")
        try:
            about = json.loads(beside.read_text(encoding="utf-8"))
            if about["format"] == FORMAT and about["sha256"] == sha256_of(self.path):
                return about
        except (OSError, ValueError, KeyError):
            pass
        raise FileError(f"{self.path}: missing, damaged or older; install the package again")

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        _ = self.about  # is it the file that was written?
        return {name: value.numpy() for name, value in read_tensors(self.path, FORMAT)[0].items()}

    @cached_property
    def entries(self) -> Sequence[OpenEntry]:
        """The experts in the order of their training tasks."""
        embedded, domains = self._embeddings("experts"), self._embeddings("domains")
        parts = zip(self.about["recipes"], embedded, domains, strict=True)
        return [
            OpenEntry(embedding.name, tuple(known["classes"]), embedding, domain, known["recipe"])
            for known, embedding, domain in parts
        ]

    @cached_property
    def errors(self) -> ZooErrors:
        """Cross-validated errors of the experts on the tasks of the library `open`.

        NaN where task and training task are one by name and lineage.
        """
        experts = tuple(entry.name for entry in self.entries)
        errors = self._arrays["errors"].astype(np.float64)
        return ZooErrors(tuple(self._embeddings("tasks")), experts, errors)

    @cached_property
    def trivial(self) -> np.ndarray:
        """The common trivial embedding `[F]`: the mean over the training tasks."""
        return common_trivial([entry.embedding for entry in self.entries])

    def named(self, names: Sequence[str]) -> list[OpenEntry]:
        """The experts of these names.

        Raises:
            InputError: for a name that is not in the zoo.
        """
        known = {entry.name: entry for entry in self.entries}
        if unknown := [name for name in names if name not in known]:
            raise InputError(f"open zoo: has no expert {unknown[0]!r}; it has: {', '.join(known)}")
        return [known[name] for name in names]

    def training_tasks(self, entries: Sequence[OpenEntry]) -> list[Task]:
        """The training tasks of some experts, made again.

        Raises:
            FileError: naming the first that has other classes or another number of images.
        """
        of_name = {task.name: task for task in expert_tasks(NAME, self.about["scale"])}
        for entry in entries:
            task = of_name.get(entry.name)
            if not task or (task.classes, len(task)) != (entry.classes, entry.recipe["images"]):
                raise FileError(
                    f"open zoo: the training task of {entry.name!r} is not that of its recipe; "
                    "install the package again"
                )
        return [of_name[entry.name] for entry in entries]

    @staticmethod
    def train(entries: Sequence[OpenEntry], tasks: Sequence[Task], probe: Probe) -> list[Expert]:
        """The experts, trained by their recipes in parallel and cached by `train_experts`.

        Args:
            entries: the experts.
            tasks: their training tasks, from `training_tasks`.
            probe: probe of the zoo, from `load_probe`.
        """
        schedules = [Schedule(**entry.recipe["schedule"]) for entry in entries]
        [seed] = {entry.recipe["seed"] for entry in entries}
        return train_experts(tasks, probe, schedule=schedules, seed=seed, progress=True)

    @classmethod
    def save(
        cls, entries: Sequence[OpenEntry], errors: ZooErrors, path: Path, **provenance: Any
    ) -> OpenZoo:
        """Write both files, each whole or not at all; the same zoo gives the same bytes.

        Args:
            entries: the experts.
            errors: their errors.
            path: the `.safetensors` file.
            **provenance: how the zoo was made; `scale` of the training tasks is needed.

        Raises:
            InputError: if a trivial embedding is not of the form `own`, which is not stored.
        """
        parts = {
            "experts": [entry.embedding for entry in entries],
            "domains": [entry.domain_embedding for entry in entries],
            "tasks": list(errors.tasks),
        }
        known = {part: _described(embeddings) for part, embeddings in parts.items()}
        arrays = {part: np.array([e.fisher for e in parts[part]]) for part in parts}
        arrays["errors"] = errors.of([entry.name for entry in entries]).errors
        tensors = {name: torch.tensor(array).float() for name, array in arrays.items()}
        write_tensors(path, tensors, FORMAT, {})
        recipes = [{"classes": entry.classes, "recipe": entry.recipe} for entry in entries]
        about = {"format": FORMAT, **provenance, "sha256": sha256_of(path), "recipes": recipes}
        text = json.dumps(about | {"embeddings": known}, indent=1, ensure_ascii=False)
        with replacing(path.with_suffix(".json")) as draft:
            draft.write_text(text + "\n", encoding="utf-8")
        return cls(path)

    def _embeddings(self, part: str) -> list[Embedding]:
        known = self.about["embeddings"][part]
        layers = {name: slice(*ends) for name, ends in known["layers"].items()}
        return [
            Embedding(fisher, _own_trivial(fisher, layers), layers, **_about_embedding(row, known))
            for fisher, row in zip(self._arrays[part].astype(np.float64), known["of"], strict=True)
        ]


def _own_trivial(fisher: np.ndarray, layers: Mapping[str, slice]) -> np.ndarray:
    """The trivial embedding of the form `own`: the mean of each layer."""
    return np.concatenate(
        [np.full(part.stop - part.start, fisher[part].mean()) for part in layers.values()]
    )


def _described(embeddings: Sequence[Embedding]) -> dict[str, Any]:
    """Layers, what the provenance of all embeddings has in common, and what is of each alone."""
    first = embeddings[0]
    for e in embeddings:
        if not np.allclose(e.trivial, _own_trivial(e.fisher, e.layers), rtol=1e-6, atol=0):
            raise InputError(f"embedding {e.name!r}: its trivial embedding is not of the form own")
    spec = {k: v for k, v in first.spec.items() if all(e.spec.get(k) == v for e in embeddings)}
    own = [replace(e, spec={k: v for k, v in e.spec.items() if k not in spec}) for e in embeddings]
    return {
        "layers": {name: [part.start, part.stop] for name, part in first.layers.items()},
        "spec": spec,
        "of": [{key: getattr(e, key) for key in ABOUT} for e in own],
    }


def _about_embedding(row: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "lineage": tuple(row["lineage"]), "spec": known["spec"] | row["spec"]}
