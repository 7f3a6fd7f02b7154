r"""What `t2v recommend` says on few images, against the truth on others: regret of ten rules.

    python -m data_scripts.claims.recommendations --library open --write-table
    python -m data_scripts.claims.recommendations --library open
    python -m data_scripts.claims.recommendations --library real --data data \
        --out book/results/real-laptop/recommendations.csv

The networks are those whose weights lie in the folder `T2V_WEIGHTS`, at 96 pixels. From each task
`SAMPLE` images are drawn evenly over the classes; on these the rules pick a network. The truth is
the class-balanced error of the cross-validated linear probe on up to `TRUTH` *other* images of the
task. The regret of a pick is its true error less that of the best network.

The rules, written down before one of the five sets was looked at:

* recommend: least cross-validated error of the linear probe, weight decay 0.02, five folds;
* smallest: the smallest of the networks that cannot be told from the best;
* neighbours: the same by nearest neighbours;
* LEEP, as published, of each network's own head;
* LogME, centred;
* Task2Vec: least mean error on the five tasks of the open zoo that are nearest by the symmetric
  distance (the packaged table, which `--write-table` makes);
* static list: least mean rank on all tasks of the open zoo, the same network for all tasks;
* ImageNet: highest published top-1 accuracy, the same network for all tasks;
* random: the mean over the networks;
* published: of the networks that cannot be told from the best, the one with the highest top-1.
  It was added after the rules above had been seen on the five sets, so there it proves nothing:
  its test is the open zoo, which had not been looked at. It is what the command names.

Of each set the `TASKS` tasks with most images are taken that have `LEAST` images or more. Tasks of
the open zoo that are of the same data set are barred from the static list and from Task2Vec.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from t2v._run.files import replacing
from t2v.book import tables
from t2v.book.chapter import describe
from t2v.candidates import (
    Comparison,
    Network,
    TensorImages,
    compare,
    load_networks,
    measure,
    published,
)
from t2v.candidates.similar import NEAREST, TABLE, open_errors
from t2v.distances import distance_matrix
from t2v.embedding import task2vec
from t2v.evaluation import bootstrap, paired_test
from t2v.experts.open_zoo import OpenZoo
from t2v.libraries import PHOTOGRAPHS, load_library
from t2v.task import Task, draw_evenly

NETWORKS = ("squeezenet1_0", "squeezenet1_1", "mobilenet_v2", "resnet18", "resnet50")
SIZE = 96  # pixels
SAMPLE, TRUTH = 100, 300  # images
LEAST, TASKS = 240, 6
OF_OPEN = 80  # images of a task of the open zoo for the packaged table
SHARED = {"living_things": "caltech101"}
"""The data set of the open zoo that shares photographs with one of the five, if not by its name."""

RULES = (
    "recommend",
    "smallest",
    "neighbours",
    "LEEP",
    "LogME",
    "Task2Vec",
    "static list",
    "ImageNet",
    "random",
    "published",
)
LIMITS = (
    "Five small networks of one pre-training set, of which two hardly differ; tasks of one set "
    "share images, so intervals over tasks are somewhat too narrow; the truth is itself measured "
    "on some hundred images, whose noise makes every regret a little too large. Weights of the "
    "residual networks are quantised."
)

Errors = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Judged:
    """One task: what is known from its sample, and the truth.

    Attributes:
        task: the task.
        source: data set that it belongs to.
        sample: comparison on the sample.
        truth: true error by name of the network.
        truth_images: number of images of the truth.
        nearest: names of the tasks of the open zoo, the nearest first.
    """

    task: Task
    source: str
    sample: Comparison
    truth: dict[str, float]
    truth_images: int
    nearest: tuple[str, ...]


def judged(task: Task, source: str, networks: Sequence[Network], seed: int, zoo: OpenZoo) -> Judged:
    """Compare the networks on a sample of a task and on other images of it.

    Args:
        task: task whose images are in memory.
        source: name of its data set.
        networks: networks to compare.
        seed: seed of the draw.
        zoo: zoo of the package, whose tasks are sought.
    """
    sample, rest = split(task, seed)
    measured = measure(TensorImages(torch.as_tensor(task.images)), networks)

    def of(part: NDArray, evidence: bool) -> Comparison:
        chosen = np.zeros(len(task), dtype=bool)
        chosen[part] = True
        return compare(measured.of(chosen), task.labels[chosen], seed=seed, evidence=evidence)

    truth = of(rest, False)
    probe = zoo.load_probe(device=str(networks[0].probe.device))
    small = torch.nn.functional.interpolate(
        torch.as_tensor(task.images)[sample].float(), size=probe.image_size, mode="bilinear",
        antialias=True,
    )  # fmt: skip
    shrunk = Task(task.name, small.round().to(torch.uint8), task.labels[sample], task.classes)
    distance = distance_matrix([task2vec(shrunk, probe, seed=seed)], zoo.errors.tasks)[0]
    order = np.argsort(distance, kind="stable")
    errors = dict(zip(truth.names, (e.value for e in truth.errors), strict=True))
    nearest = tuple(zoo.errors.tasks[t].name for t in order)
    return Judged(task, source, of(sample, True), errors, len(rest), nearest)


def split(task: Task, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions of the sample, and of the images of the truth."""
    drawn = draw_evenly(task.labels, len(task), seed).numpy()
    return np.sort(drawn[:SAMPLE]), np.sort(drawn[SAMPLE : SAMPLE + TRUTH])


def picks(case: Judged, known: Errors, top1: Mapping[str, float], barred: set[str]) -> dict:
    """The network that each rule picks, by the rule's name; of `random` there is none.

    Args:
        case: what is known of the task.
        known: errors by network and task of the open zoo.
        top1: published accuracy by network.
        barred: tasks of the open zoo that may not be used.
    """
    c = case.sample
    near = [task for task in case.nearest if task not in barred][:NEAREST]
    on_similar = {n: np.mean([known[n][t] for t in near]) for n in c.names}
    of_set, sizes = c.undecided, dict(zip(c.names, c.parameters, strict=True))
    others = [t for t in known[c.names[0]] if t not in barred]
    ranks = rankdata([[known[n][t] for n in c.names] for t in others], axis=1).mean(0)
    return {
        "recommend": c.names[0],
        "smallest": min(of_set, key=lambda n: sizes[n]),
        "published": max(of_set, key=lambda n: top1[n]),
        "neighbours": c.names[int(c.neighbours.argmin())],
        "LEEP": c.names[int(c.leep.argmax())],
        "LogME": c.names[int(c.logme.argmax())],
        "Task2Vec": min(on_similar, key=lambda n: on_similar[n]),
        "static list": c.names[int(ranks.argmin())],
        "ImageNet": max(c.names, key=lambda n: top1[n]),
    }


def rows_of(case: Judged, picked: Mapping[str, str]) -> list[dict]:
    """One row for each rule."""
    best = min(case.truth.values())
    leaders = [n for n, error in case.truth.items() if error == best]
    rows = []
    for rule in RULES:
        error = case.truth[picked[rule]] if rule in picked else np.mean(list(case.truth.values()))
        rows.append(
            {
                "task": case.task.name,
                "source": case.source,
                "classes": case.task.num_classes,
                "images": case.sample.images,
                "truth_images": case.truth_images,
                "rule": rule,
                "pick": picked.get(rule, ""),
                "error": float(error),
                "best_error": best,
                "regret": float(error - best),
                "undecided": len(case.sample.undecided),
                "covered": any(name in case.sample.undecided for name in leaders),
            }
        )
    return rows


def summary(frame: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Mean regret of each rule with its interval over tasks, and less that of `recommend`."""
    wide = frame.pivot(index="task", columns="rule", values="regret")
    rows = []
    for rule in RULES:
        mean = bootstrap(wide[rule], seed=seed)
        against = paired_test(wide[rule], wide["recommend"], seed=seed).difference
        rows.append(
            {
                "rule": rule,
                "tasks": len(wide),
                "regret": mean.value,
                "low": mean.low,
                "high": mean.high,
                "best_share": float((wide[rule] == 0).mean()),
                "minus_recommend": against.value,
                "minus_low": against.low,
                "minus_high": against.high,
            }
        )
    return pd.DataFrame(rows)


def tasks_of(library: str, data: Path | None, seed: int) -> list[tuple[str, Task]]:
    """The tasks with most images of each data set, with its name."""
    chosen = []
    if library == "open":
        whole = load_library("open", "paper", seed)
        chosen = [(whole.paths[t.name][0].split("/")[0], t) for t in whole if len(t) >= LEAST]
    else:
        for name in PHOTOGRAPHS:
            tasks = sorted(load_library(name, "paper", seed, data), key=lambda t: -len(t))
            chosen += [(name, task) for task in tasks[:TASKS] if len(task) >= LEAST]
    return [(source, _enough(task)) for source, task in chosen]


def _enough(task: Task) -> Task:
    """The images that the sample and the truth need, without the marks of held-out ones."""
    return task.subset(torch.arange(len(task))).balanced(SAMPLE + TRUTH)


def write_table(networks: Sequence[Network], path: Path, seed: int) -> None:
    """Errors of the networks on all tasks of the open zoo, for the package."""
    rows = []
    for task in load_library("open", "laptop", seed):
        some = task.subset(torch.arange(len(task))).balanced(OF_OPEN, seed)
        measured = measure(TensorImages(torch.as_tensor(some.images)), networks)
        found = compare(measured, some.labels, seed=seed, evidence=False)
        errors = dict(zip(found.names, (e.value for e in found.errors), strict=True))
        rows.append({"task": task.name} | {n.name: round(errors[n.name], 4) for n in networks})
        print(f"{len(rows):4} {task.name}", flush=True)
    with replacing(path) as draft:
        pd.DataFrame(rows).to_csv(draft, index=False, lineterminator="\n")


def main() -> None:
    """Measure all tasks, print mean regrets, and write the table if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--library", default="real", choices=["open", "real"])
    parser.add_argument("--data", type=Path, help="folder of the photographs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--write-table", action="store_true", help="make the packaged table")
    parser.add_argument("--out", type=Path, help="table to write (.csv)")
    arguments = parser.parse_args()
    started = time.perf_counter()
    listed = published(NETWORKS)
    networks, missing = load_networks(listed, SIZE, arguments.device)
    if missing:
        parser.error(f"no weights of {', '.join(missing)}")
    if arguments.write_table:
        import t2v.candidates

        write_table(networks, Path(t2v.candidates.__file__).with_name(TABLE), arguments.seed)
        return
    known, zoo = open_errors(), OpenZoo()
    top1 = {c.name: c.top1 or 0.0 for c in listed}
    chosen = tasks_of(arguments.library, arguments.data, arguments.seed)
    of_open = load_library("open", "laptop").paths
    data_set = {name: paths[0].split("/")[0] for name, paths in of_open.items()}
    rows = []
    for source, task in chosen:
        case = judged(task, source, networks, arguments.seed, zoo)
        barred = {name for name, of in data_set.items() if of == SHARED.get(source, source)}
        rows += rows_of(case, picks(case, known, top1, barred))
        print(f"{time.perf_counter() - started:6.0f} s  {source}: {task.name}", flush=True)
    frame = pd.DataFrame(rows)
    with pd.option_context("display.width", 160, "display.max_columns", 20):
        print(summary(frame).round(4).to_string(index=False))
    print(f"the best is in the set: {frame.groupby('task').covered.first().mean():.0%}")
    if arguments.out:
        note = {
            "limits": LIMITS,
            "seed": arguments.seed,
            "seconds": time.perf_counter() - started,
            "device": str(networks[0].probe.device),
            "inputs": [
                {"name": f"weights of {n.name}", "sha256": n.probe.sha256,
                 "licence": n.candidate.licence} for n in networks
            ],
            "image_size": SIZE,
        }  # fmt: skip
        for table, name in ((frame, arguments.out), (summary(frame), _beside(arguments.out))):
            tables.write(table, name, columns=describe(name.stem, table.columns), **note)


def _beside(path: Path) -> Path:
    return path.with_name("recommendation_regrets.csv")


if __name__ == "__main__":
    main()
