"""How an expert is trained if nobody says otherwise, and how long that takes here."""

from __future__ import annotations

from dataclasses import replace

import torch

from t2v.experts.training import Schedule, Training
from t2v.libraries.expert_tasks import SCHEDULES
from t2v.probe import Probe
from t2v.task import Task

BY_PROBE = {
    "imagenet": Schedule(**SCHEDULES["open"]["laptop"]),
    "synthetic": Schedule(**SCHEDULES["synthetic"]["laptop"]),
}
"""Schedules of the probes that come with the package: those of the book's experts at `laptop`.

A rate suits one network: at .002 the loss of `imagenet` explodes, because it has no batch norm and
its features have norms about 200.
"""

OTHERS = Schedule(steps=200, batch_size=32, lr=0.001)
"""Schedule of any other network: the paper's rate (Supp. C.1), few enough steps for a laptop."""


def default_schedule(probe: Probe, steps: int | None = None, rate: float | None = None) -> Schedule:
    """The schedule with which experts of a probe are trained.

    Args:
        probe: network to start from.
        steps: number of batches; default: that of `BY_PROBE` or `OTHERS`.
        rate: initial learning rate; default: that of `BY_PROBE` or `OTHERS`.
    """
    schedule = BY_PROBE.get(probe.name, OTHERS)
    return replace(schedule, steps=steps or schedule.steps, lr=rate or schedule.lr)


def estimated_seconds(task: Task, probe: Probe, schedule: Schedule) -> float:
    """About how long a training takes on this machine, from two steps of one that is thrown away.

    Args:
        task: training task; a batch of its images is used.
        probe: network to start from.
        schedule: schedule of the training.

    Raises:
        InputError: naming the task, if no head can be fitted or it is worse than chance.
    """
    devices = [probe.device] if probe.device.type == "cuda" else []
    few = task.train.balanced(max(schedule.batch_size, 2 * task.num_classes))
    with torch.random.fork_rng(devices=devices):
        training = Training(few, probe, schedule)
        training.run(1)  # takes memory, which later steps have already
        warm_up = training.seconds
        training.run(2)
    return (training.seconds - warm_up) / 2 * schedule.steps
