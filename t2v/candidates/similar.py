"""Which tasks of the open zoo are like the user's by Task2Vec, and what networks did on them."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import torch
from numpy.typing import NDArray

from t2v._run.cache import cached_call
from t2v.candidates.images import Images, fitted
from t2v.distances import distance_matrix
from t2v.embedding import Embedding, task2vec
from t2v.experts.open_zoo import OpenZoo
from t2v.probe import Probe
from t2v.task import Task, draw_evenly

TABLE = "open_tasks.csv"
NEAREST = 5
"""Number of nearest tasks whose errors are averaged."""

MOST = 500  # images that are embedded: more move a distance less than the tasks lie apart


@dataclass(frozen=True)
class SimilarTasks:
    """The tasks of the open zoo that are nearest to a task.

    Attributes:
        names: names of the nearest tasks, the nearest first.
        distances: their symmetric distances from the task, in [0, 1].
        errors: mean error on them by the name of each network that was measured there.
    """

    names: tuple[str, ...]
    distances: tuple[float, ...]
    errors: dict[str, float]


def similar_tasks(
    images: Images, labels: NDArray, classes: Sequence[str], *, seed: int = 0, device: str = "auto"
) -> SimilarTasks:
    """The tasks of the open zoo that are nearest by the symmetric distance of Task2Vec.

    At most `MOST` images are embedded, with the probe of the open zoo.

    Args:
        images: N images that can all be used.
        labels: `[N]`, class of each image in 0..K-1.
        classes: K names of classes.
        seed: seed of the draw and of the embedding.
        device: device of the probe.
    """
    zoo = OpenZoo()
    probe = zoo.load_probe(device=device)
    some = draw_evenly(torch.as_tensor(labels), min(MOST, len(labels)), seed).sort().values.numpy()
    content = [(images.ids[i], int(labels[i])) for i in some]
    key = (hashlib.sha256(repr(content).encode()).hexdigest(), probe.sha256, seed)
    embedding = cached_call(_embedded, key, (images, some, labels, classes, probe))
    return nearest(embedding, zoo)


def nearest(embedding: Embedding, zoo: OpenZoo) -> SimilarTasks:
    """The nearest tasks of an embedding by the probe of the open zoo."""
    tasks = zoo.errors.tasks
    distance = distance_matrix([embedding], tasks)[0]
    first = np.argsort(distance, kind="stable")[:NEAREST]
    names = tuple(tasks[t].name for t in first)
    return SimilarTasks(names, tuple(distance[first].tolist()), mean_errors(names))


def mean_errors(tasks: Sequence[str]) -> dict[str, float]:
    """Mean error of each network of the packaged table on some tasks of the open zoo."""
    table = open_errors()
    known = [task for task in tasks if task in next(iter(table.values()), {})]
    return {n: float(np.mean([e[t] for t in known])) for n, e in table.items() if known}


def open_errors() -> dict[str, dict[str, float]]:
    """Errors by network and task of the open zoo (`data_scripts.claims.recommendations`)."""
    place = files("t2v.candidates").joinpath(TABLE)
    if not place.is_file():
        return {}
    rows = list(csv.DictReader(place.read_text(encoding="utf-8").splitlines()))
    networks = [name for name in rows[0] if name != "task"]
    return {name: {row["task"]: float(row[name]) for row in rows} for name in networks}


def _embedded(
    key: tuple, argument: tuple[Images, NDArray, NDArray, Sequence[str], Probe]
) -> Embedding:
    images, some, labels, classes, probe = argument
    pixels = []
    for i in some:
        image = images.open(int(i))
        assert not isinstance(image, str)  # only images that can be used are given
        square = np.array(fitted(image, probe.image_size, False))
        pixels.append(torch.from_numpy(square.transpose(2, 0, 1).copy()))
    task = Task("images", torch.stack(pixels), torch.as_tensor(labels[some]), list(classes))
    return task2vec(task, probe, seed=key[2])
