"""Fine-tuning of the probe on training tasks, which makes it into experts (Supp. C.1)."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from t2v._run.cache import content_key, folder
from t2v._run.parallel import default_jobs, in_parallel
from t2v._run.progress import bar
from t2v.experts.expert import Expert
from t2v.experts.training import CHECK, Schedule, Training
from t2v.probe import Probe
from t2v.task import Task


def fine_tune(
    task: Task,
    probe: Probe,
    *,
    schedule: Schedule,
    seed: int = 0,
    checkpoint: Path | None = None,
    progress: bool = False,
) -> Expert:
    """Train an expert: first its head to convergence, then all weights (Supp. C.1).

    Batches are drawn evenly over the classes, mirrored at random and shifted by up to a twelfth of
    their side. The same seed gives the same weights on the same CPU and number of threads (on a GPU
    up to the order of sums, which cuDNN does not fix).

    Args:
        task: training task; its held-out images are not used.
        probe: network to start from; it is not changed.
        schedule: length and learning rate of the second phase.
        seed: seed of batches, augmentation and dropout.
        checkpoint: file for the state after every `CHECK` steps; if it exists, training continues
            from it and ends with the same weights.
        progress: show a progress bar.

    Returns:
        The expert, its extractor on the probe's device.

    Raises:
        InputError: naming the task, if its loss is not a number or worse than chance.
        FileError: if the checkpoint is damaged or of another training.
    """
    train = task.train
    devices = [probe.device] if probe.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        training = Training(train, probe, schedule)
        key = _key(task, probe, schedule, seed)
        if checkpoint is not None and checkpoint.exists():
            training.load(checkpoint, key)
        starts = range(training.step, schedule.steps, CHECK)
        for start in bar(starts, task.name, len(starts), progress):
            training.run(min(CHECK, schedule.steps - start))
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
    classes, lineage = tuple(task.classes), tuple(task.lineage)
    return Expert(task.name, extractor, recipe, classes, task.group, lineage, task.name, head)


def train_experts(
    tasks: Iterable[Task],
    probe: Probe,
    *,
    schedule: Schedule | Sequence[Schedule],
    seed: int = 0,
    jobs: int | None = None,
    progress: bool = False,
) -> list[Expert]:
    """Experts fine-tuned on tasks by `fine_tune`, in parallel and cached.

    The experts are cached in the folder `experts` of `T2V_CACHE` as soon as they are trained; a
    killed run continues from their checkpoints.

    Args:
        tasks: T training tasks.
        probe: network to start from.
        schedule: one schedule for all tasks, or T schedules.
        seed: seed of each training.
        jobs: number of processes; default: one per core on the CPU, one on a GPU.
        progress: show a progress bar.

    Returns:
        T experts.

    Raises:
        InputError: naming the task, if its loss is not a number or worse than chance.
    """
    tasks = list(tasks)
    schedules = [schedule] * len(tasks) if isinstance(schedule, Schedule) else list(schedule)
    keys = [_key(task, probe, s, seed) for task, s in zip(tasks, schedules, strict=True)]
    paths = [folder("experts") / f"{key}.safetensors" for key in keys]
    missing = [i for i, path in enumerate(paths) if not path.exists()]
    # the longest training first, so that no process is left alone with it at the end
    missing.sort(key=lambda i: -schedules[i].steps * schedules[i].batch_size)
    trained = in_parallel(
        _fine_tuned,
        [(i, tasks[i], probe, schedules[i], seed, paths[i]) for i in missing],
        jobs or default_jobs(probe.device),
        total=len(missing),
        what="experts",
        progress=progress,
        ordered=False,
    )
    for i, expert in trained:
        expert.save(paths[i])
        _checkpoint_of(paths[i]).unlink(missing_ok=True)
    return [Expert.load(path, like=probe) for path in paths]


def _fine_tuned(
    i: int, task: Task, probe: Probe, schedule: Schedule, seed: int, path: Path
) -> tuple[int, Expert]:
    path.parent.mkdir(parents=True, exist_ok=True)  # where this runs may be another machine
    checkpoint = _checkpoint_of(path)
    return i, fine_tune(task, probe, schedule=schedule, seed=seed, checkpoint=checkpoint)


def _checkpoint_of(path: Path) -> Path:
    return path.with_suffix(".checkpoint")


def _key(task: Task, probe: Probe, schedule: Schedule, seed: int) -> str:
    """sha256 of what decides an expert's weights: task, probe, schedule, seed and code."""
    values = (task.fingerprint, probe.sha256, probe.image_size, schedule, seed)
    return content_key("t2v.experts.training", *values)
