"""Experts: feature extractors to choose from, most of them the probe fine-tuned on one task.

Each is kept with what is needed to make it again. `extractor.features(images)` gives the features
and `extractor.sha256` says which extractor it is, for networks (`Probe`) as for HOG.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import Progress
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from t2v.errors import FileError
from t2v.head import Head
from t2v.hog import Hog
from t2v.probe import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Probe,
    _build,
    _device,
    _sha256,
    _take_head_off,
    fill,
)
from t2v.store import memory
from t2v.task import Task
from t2v.training import CHECK, Schedule, Training, write
from t2v.work import default_jobs, in_parallel

__all__ = [
    "Expert",
    "Hog",
    "Schedule",
    "fine_tune",
    "generic_expert",
    "hog_expert",
    "train_experts",
]

FORMAT = "t2v expert 1"


@dataclass(frozen=True, eq=False)
class Expert:
    """A feature extractor, what it was trained to tell apart, and how.

    Attributes:
        name: as shown.
        extractor: `.features(images) -> [N, D]` float32 on the CPU, `.sha256`; a `Probe` or `Hog`.
        recipe: how it was made, as plain values; empty for what was not trained here.
        classes: names of the classes of its training task; empty where it has none or is unknown.
        group: of its training task.
        lineage: of its training task.
        task: its training task's name; "" where it has none or is unknown.
        head: the classifier it was trained with.
    """

    name: str
    extractor: Any
    recipe: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    group: str = ""
    lineage: tuple[str, ...] = ()
    task: str = ""
    head: Head | None = None

    def __repr__(self) -> str:
        return f"Expert({self.name!r}, {self.extractor!r})"

    def save(self, path: str | Path) -> None:
        """Writes a safetensors file, which appears under its name only when it is whole.

        Its tensors have the names of the network's state dict, the head's among them.
        """
        about = {k: getattr(self, k) for k in ("name", "classes", "group", "lineage", "task")}
        about |= {"recipe": dict(self.recipe), "sha256": self.extractor.sha256}
        about |= {"network": self.extractor.name, "image_size": self.extractor.image_size}
        tensors: dict[str, Tensor] = {}
        if isinstance(self.extractor, Probe):
            tensors = dict(self.extractor.network.state_dict())
        if self.head is not None:
            at = self.extractor.head_at
            tensors |= {f"{at}.weight": self.head.weight, f"{at}.bias": self.head.bias}
            about["head's weight decay"] = self.head.weight_decay
        write(tensors, Path(path), {"format": FORMAT, "about": json.dumps(about)})

    @classmethod
    def load(
        cls, path: str | Path, *, like: Probe | None = None, device: str | torch.device = "auto"
    ) -> Expert:
        """Reads what `save` wrote.

        Args:
            path: the file.
            like: a probe with the same network; needed for one that `load_probe` does not know.
            device: where to put the network, if `like` is not given.

        Raises:
            FileError: if the file is missing, truncated, damaged or something else.
        """
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
            tensors = load_file(path)
        except (SafetensorError, OSError) as error:
            reason = "no such file" if isinstance(error, FileNotFoundError) else error
            raise FileError(f"{path}: not a readable expert ({reason})") from None
        if metadata.get("format") != FORMAT:
            raise FileError(f"{path}: a safetensors file, but not an expert of t2v")
        about = json.loads(metadata["about"])
        sha256, size = about.pop("sha256"), about.pop("image_size")
        network, decay = about.pop("network"), about.pop("head's weight decay", math.nan)
        extractor, head = (Hog(size) if network == Hog.name else None), None
        if extractor is None:
            probe = replace(like or _bare(network, device), image_size=size)
            at = probe.head_at
            if f"{at}.weight" in tensors:
                parts = tensors.pop(f"{at}.weight"), tensors.pop(f"{at}.bias")
                head = Head(*parts, math.nan, decay)
            extractor = _with_weights(probe, tensors, path)
        if extractor.sha256 != sha256:
            raise FileError(f"{path}: not the {network} that was saved")
        about |= {k: tuple(about[k]) for k in ("classes", "lineage")}
        return cls(extractor=extractor, head=head, **about)


def generic_expert(probe: Probe) -> Expert:
    """The probe itself, fine-tuned on nothing: the paper's ImageNet expert."""
    return Expert("generic", probe)


def hog_expert(image_size: int) -> Expert:
    """HOG, the black box of the talk's slide 15: it has no training task to embed."""
    return Expert("HOG", Hog(image_size))


def fine_tune(
    task: Task,
    probe: Probe,
    *,
    schedule: Schedule,
    seed: int = 0,
    checkpoint: Path | None = None,
    progress: bool = False,
) -> Expert:
    """Trains an expert: the head to convergence, then all weights (Supp. C.1).

    Batches are drawn evenly over the classes, mirrored at random and shifted by up to a twelfth of
    their side. The same seed gives the same weights on the same CPU and number of threads (on a GPU
    up to the order of sums, which cuDNN leaves open).

    Args:
        task: its training images are used; the held-out ones are not looked at.
        probe: what to start from; it is left as it is.
        schedule: of the second phase.
        seed: of draws, augmentation and dropout.
        checkpoint: a file for the state after every `CHECK` steps; where it is there, training
            goes on from it, and ends with the same weights.
        progress: show a progress bar.

    Raises:
        InputError: naming the task, if its loss is not a number or worse than chance.
        FileError: if the checkpoint is damaged or another training's.
    """
    train = task.train
    devices = [probe.device] if probe.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), Progress(disable=not progress) as bar:
        torch.manual_seed(seed)
        training = Training(train, probe, schedule)
        key = _key(task, probe, schedule, seed)
        if checkpoint is not None and checkpoint.exists():
            training.load(checkpoint, key)
        shown = bar.add_task(task.name, total=schedule.steps, completed=training.step)
        while training.step < schedule.steps:
            training.run(min(CHECK, schedule.steps - training.step))
            bar.update(shown, completed=training.step)
            if checkpoint is not None:
                training.save(checkpoint, key)
        extractor, head = training.finish()
    recipe = {
        "network": probe.name,
        "image_size": probe.image_size,
        "start": probe.sha256,
        "task": task.name,
        "fingerprint": task.fingerprint,
        "images": len(train),
        "schedule": asdict(schedule),
        "seed": seed,
        "head loss": training.head_loss,
        "final loss": float(np.mean(training.losses[-CHECK:])),
        "seconds": training.seconds,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    about = {"classes": task.classes, "group": task.group, "lineage": task.lineage}
    return Expert(task.name, extractor, recipe, **about, task=task.name, head=head)


def train_experts(
    tasks: Iterable[Task],
    probe: Probe,
    *,
    schedule: Schedule | Sequence[Schedule],
    seed: int = 0,
    jobs: int | None = None,
    progress: bool = False,
) -> list[Expert]:
    """`fine_tune` on each task, in parallel by joblib; each expert is kept as soon as it is there.

    They lie under `T2V_CACHE`, in `experts`; a run that was killed goes on from the checkpoints.

    Args:
        tasks: what to train on.
        probe: what to start from.
        schedule: one for all, or one for each.
        seed: of all.
        jobs: processes; default: one per core on the CPU, one on a GPU.
        progress: show a progress bar.
    """
    tasks = list(tasks)
    schedules = [schedule] * len(tasks) if isinstance(schedule, Schedule) else list(schedule)
    folder = (Path(memory().location) / "experts").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    keys = [_key(task, probe, s, seed) for task, s in zip(tasks, schedules, strict=True)]
    paths = [folder / f"{key}.safetensors" for key in keys]
    missing = [i for i, path in enumerate(paths) if not path.exists()]
    # longest first, so that no process is left alone with a long one at the end
    missing.sort(key=lambda i: -schedules[i].steps * schedules[i].batch_size)
    done = in_parallel(
        _trained,
        [(i, tasks[i], probe, schedules[i], seed, paths[i]) for i in missing],
        jobs or default_jobs(probe.device),
        total=len(missing),
        what="experts",
        progress=progress,
        ordered=False,
    )
    for i, expert in done:
        expert.save(paths[i])
        _checkpoint_of(paths[i]).unlink(missing_ok=True)
    return [Expert.load(path, like=probe) for path in paths]


def _trained(
    i: int, task: Task, probe: Probe, schedule: Schedule, seed: int, path: Path
) -> tuple[int, Expert]:
    path.parent.mkdir(parents=True, exist_ok=True)  # where this runs may be another machine
    checkpoint = _checkpoint_of(path)
    return i, fine_tune(task, probe, schedule=schedule, seed=seed, checkpoint=checkpoint)


def _checkpoint_of(path: Path) -> Path:
    return path.with_suffix(".checkpoint")


def _key(task: Task, probe: Probe, schedule: Schedule, seed: int) -> str:
    """sha256 of what decides an expert's weights: task, probe, schedule, seed, sources."""
    what = (task.fingerprint, probe.sha256, probe.image_size, schedule, seed)
    return sources("training", "head", "logistic", "networks", "precision", "probe", what=what)


def sources(*names: str, what: Any = ()) -> str:
    """sha256 of modules of `t2v` and of plain values."""
    digest = hashlib.sha256(repr(what).encode())
    for name in names:
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest()


def _bare(network: str, device: str | torch.device) -> Probe:
    """A probe without weights worth the name."""
    built, where = _build(network), _device(device)
    head_at = _take_head_off(built, built.state_dict())
    built = built.eval().requires_grad_(False).to(where, memory_format=torch.channels_last)
    return Probe(network, built, head_at, 0, IMAGENET_MEAN, IMAGENET_STD, "", where)


def _with_weights(probe: Probe, tensors: Mapping[str, Tensor], path: str | Path) -> Probe:
    network = copy.deepcopy(probe.network)
    try:
        fill(network, tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise FileError(f"{path}: not the weights of {probe.name}: {reason}") from None
    return replace(probe, network=network, sha256=_sha256(dict(tensors)))
