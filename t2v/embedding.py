"""Embeddings of tasks: the paper's Fisher embedding and its domain embedding."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import nn

from t2v._numerics.convolutions import convolutions
from t2v._numerics.trivial import FORMS, probe_trivial
from t2v._run.files import replacing
from t2v._run.progress import bar
from t2v.errors import FileError, InputError
from t2v.fisher import filter_fisher
from t2v.head import fit_head
from t2v.probe import Probe
from t2v.robust import RobustFisher, robust_fisher
from t2v.task import Task

FORMAT = "t2v.embedding/1"
CHUNK = 256  # images held as floats at a time
MOMENTS = ("mean", "second")  # of a domain embedding
ESTIMATORS = ("auto", "exact", "sketch", "sample", "robust")


@dataclass(frozen=True, eq=False)
class Embedding:
    """A task as a vector with one entry per filter of the probe.

    Attributes:
        fisher: float64 `[F]`, diagonal of the Fisher information averaged over each filter's
            weights, in nats per squared weight; for a domain embedding, moments of the features.
        trivial: float64 `[F]`, the trivial embedding in the same units (Sect. 3.1, t₀), in one of
            the forms of `task2vec`, or βλ² of a robust estimate.
        layers: layer name to its slice of the F entries.
        name: name of the task.
        lineage: path of the task in a taxonomy, root first.
        group: family of the task.
        spec: provenance: probe, sha256 of its weights, estimator, passes, seed, images, classes,
            the head's weight decay and gradient norm, form of `trivial`, versions.
    """

    fisher: np.ndarray
    trivial: np.ndarray
    layers: dict[str, slice]
    name: str = ""
    lineage: tuple[str, ...] = ()
    group: str = ""
    spec: dict[str, Any] = field(default_factory=dict)

    @property
    def norm(self) -> float:
        """L1 norm, a measure of the task's difficulty (Sect. 2.2, Fig. 2)."""
        return float(np.abs(self.fisher).sum())

    def __repr__(self) -> str:
        return f"Embedding({self.name!r}, {len(self.fisher)} filters, norm {self.norm:.3g})"

    def save(self, path: str | Path) -> None:
        """Write a safetensors file; it appears under its name only when it is complete."""
        metadata = {
            "format": FORMAT,
            "name": self.name,
            "lineage": json.dumps(list(self.lineage)),
            "group": self.group,
            "layers": json.dumps({k: [s.start, s.stop] for k, s in self.layers.items()}),
            "spec": json.dumps(self.spec),
        }
        with replacing(path) as draft:
            save_file({"fisher": self.fisher, "trivial": self.trivial}, draft, metadata)

    @classmethod
    def load(cls, path: str | Path) -> Embedding:
        """Read a file written by `save`.

        Raises:
            FileError: if the file is missing, truncated or no embedding.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                if metadata.get("format") != FORMAT:
                    raise FileError(f"{path}: a safetensors file, but not an embedding of t2v")
                fisher, trivial = file.get_tensor("fisher"), file.get_tensor("trivial")
        except (SafetensorError, FileNotFoundError, IsADirectoryError) as error:
            reason = "no such file" if isinstance(error, FileNotFoundError) else error
            raise FileError(f"{path}: not a readable embedding ({reason})") from None
        layers = json.loads(metadata["layers"])
        return cls(
            fisher=fisher,
            trivial=trivial,
            layers={name: slice(*ends) for name, ends in layers.items()},
            name=metadata["name"],
            lineage=tuple(json.loads(metadata["lineage"])),
            group=metadata["group"],
            spec=json.loads(metadata["spec"]),
        )


def task2vec(
    task: Task,
    probe: Probe,
    *,
    estimator: str = "auto",
    passes: int = 8,
    seed: int = 0,
    max_images: int | None = None,
    batch_size: int | None = None,
    weight_decay: float | str = "auto",
    beta: float | None = None,
    trivial: str = "own",
    progress: bool = False,
) -> Embedding:
    """The embedding of a task: Fisher information of the probe's filters under a head for the task.

    Args:
        task: the task, of which only the training images are used.
        probe: probe network, see `load_probe`.
        estimator: "exact", "sketch" or "sample" (see `filter_fisher`); "auto": exact up to
            `passes` classes, else the sketch, so that the cost is at most `passes` backward passes
            per image; "robust": the paper's variational estimator (Sect. 2.1), whose `fisher` is
            βΛ and includes its `trivial`, the floor βλ².
        passes: number of backward passes per image for "sketch" and "sample".
        seed: random seed.
        max_images: largest number of training images, drawn evenly over the classes; default: all.
        batch_size: number of images at once; default: by a memory budget.
        weight_decay: weight decay of the head, see `fit_head`.
        beta: weight of the KL term for "robust", see `robust_fisher`; default: weight prior and
            Fisher information balance in the median layer, by one pass of the sketch. And that of
            `trivial="probe"`; default: 1 / number of the probe's weights.
        trivial: form of the trivial embedding t₀: "own": the mean of each layer of `fisher`;
            "probe": β / mean w² of each layer of the probe, the paper's for small β and the same
            for all tasks (not for "robust").
        progress: whether to show a progress bar.

    Raises:
        InputError: naming the task, if it cannot be embedded (see `fit_head`).

    Examples:
        >>> from t2v import load_probe
        >>> images = torch.arange(8 * 3 * 48 * 48).remainder(251).to(torch.uint8)
        >>> task = Task("stripes", images.view(8, 3, 48, 48), [0, 1] * 4, ["even", "odd"])
        >>> embedding = task2vec(task, load_probe("synthetic", device="cpu"))
        >>> embedding.fisher.shape, embedding.spec["estimator"]
        ((720,), 'exact')
    """
    if estimator not in ESTIMATORS:
        raise InputError(f"estimator must be one of {', '.join(ESTIMATORS)}; got {estimator!r}")
    if trivial not in FORMS or (trivial == "probe" and estimator == "robust"):
        raise InputError(f"trivial={trivial!r}: 'own', or, if not robust, 'probe'")
    if passes < 1:
        raise InputError(f"passes must be at least 1; got {passes}")
    train = task.train if max_images is None else task.train.balanced(max_images, seed)
    features = probe.features(train.images, batch_size)
    head = fit_head(
        features,
        train.labels,
        num_classes=task.num_classes,
        weight_decay=weight_decay,
        name=task.name,
    )
    if estimator == "auto":
        estimator = "exact" if task.num_classes <= passes else "sketch"
    network = probe.with_head(head)
    spec = {
        "estimator": estimator,
        "passes": task.num_classes - 1 if estimator == "exact" else passes,
        "seed": seed,
        "classes": task.num_classes,
        "weight_decay": head.weight_decay,
        "gradient_norm": head.gradient_norm,
        "trivial": trivial,
    }
    if estimator == "robust":
        robust = _robust(network, probe, train, beta, seed)
        spec |= {"beta": robust.beta, "passes": None}
        fisher = {layer: robust.beta * v.numpy() for layer, v in robust.items()}
        floor = {layer: robust.beta * value for layer, value in robust.prior.items()}
        return _embedding(task, train, probe, fisher, spec, floor)
    generator = torch.Generator().manual_seed(seed)  # the same signs on every device
    per_layer: dict[str, np.ndarray] = {}
    chunks = torch.arange(len(train)).split(CHUNK)
    for chunk in bar(chunks, task.name, len(chunks), progress):
        images = probe.preprocess(train.subset(chunk).images)
        of_chunk = filter_fisher(
            network,
            images,
            estimator=estimator,
            passes=passes,
            generator=generator,
            batch_size=batch_size,
        )
        for layer, values in of_chunk.items():
            share = values.cpu().numpy() * (len(chunk) / len(train))
            per_layer[layer] = per_layer.get(layer, 0) + share
    of_probe: dict[str, float] | None = None
    if trivial == "probe":
        weights = {n: conv.weight.cpu() for n, conv in convolutions(probe.network).items()}
        of_probe, spec["beta"] = probe_trivial(weights, beta)
    return _embedding(task, train, probe, per_layer, spec, of_probe)


def _robust(
    network: nn.Module, probe: Probe, train: Task, beta: float | None, seed: int
) -> RobustFisher:
    images = probe.preprocess(train.images)
    if beta is None:
        fisher = filter_fisher(
            network, images, estimator="sketch", generator=torch.Generator().manual_seed(seed)
        )
        power = {n: float(network.get_parameter(f"{n}.weight").square().mean()) for n in fisher}
        beta = 2 * float(np.median([power[n] * float(v.mean()) for n, v in fisher.items()]))
    return robust_fisher(
        network,
        images,
        train.labels.to(probe.device),
        beta=beta,
        noise="flipout",
        head=probe.head_at,
        generator=torch.Generator().manual_seed(seed),
    )


def domain2vec(
    task: Task, probe: Probe, moment: str = "mean", batch_size: int | None = None
) -> Embedding:
    """The domain embedding: moments of the probe's features φ, independent of the labels.

    Args:
        task: the task, of which only the training images are used.
        probe: probe network, see `load_probe`.
        moment: "mean", E[φ], as in Fig. 1; "second", the diagonal of E[φφᵀ], as in Sect. 2.2 and on
            the slides.
        batch_size: number of images at once; default: by a memory budget.

    Raises:
        InputError: for an unknown moment.
    """
    if moment not in MOMENTS:
        raise InputError(f"moment must be 'mean' or 'second'; got {moment!r}")
    return domain_moments(task, probe, batch_size)[moment]


def domain_moments(task: Task, probe: Probe, batch_size: int | None = None) -> dict[str, Embedding]:
    """Both domain embeddings by their moment, from one pass over the images; see `domain2vec`."""
    train = task.train
    features = probe.features(train.images, batch_size).double()
    embeddings = {}
    for moment, values in zip(MOMENTS, (features.mean(0), features.square().mean(0)), strict=True):
        spec = {"estimator": f"domain-{moment}", "classes": task.num_classes}
        embeddings[moment] = _embedding(task, train, probe, {"features": values.numpy()}, spec)
    return embeddings


def _embedding(
    task: Task,
    train: Task,
    probe: Probe,
    per_layer: dict[str, np.ndarray],
    spec: dict[str, Any],
    trivial: dict[str, float] | None = None,
) -> Embedding:
    ends = np.cumsum([0, *map(len, per_layer.values())]).tolist()
    trivial = trivial or {layer: values.mean() for layer, values in per_layer.items()}
    return Embedding(
        fisher=np.concatenate(list(per_layer.values())),
        trivial=np.concatenate([np.full(len(v), trivial[n]) for n, v in per_layer.items()]),
        layers={name: slice(a, b) for name, a, b in zip(per_layer, ends, ends[1:], strict=False)},
        name=task.name,
        lineage=tuple(task.lineage),
        group=task.group,
        spec={
            "probe": probe.name,
            "weights_sha256": probe.sha256,
            "image_size": probe.image_size,
            "images": len(train),
            **spec,
            "versions": {package: version(package) for package in ("t2v", "torch", "torchvision")},
        },
    )
