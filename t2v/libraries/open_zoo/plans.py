"""From the rows of `tables/tasks.csv` and `tables/training_tasks.csv` to the images of each class.

Columns of both tables:

* `name`, `group` and `lineage` of the task; where no lineage is written, it is what the lineages of
  all classes have in common;
* `source`: data sets, with spaces between them;
* `of`: labels, nodes of their lineages or kingdoms of groceries, with semicolons between them: the
  images that the task is about; empty: those that `classes` name;
* `by`: the column of the index that tells the classes apart;
* `classes`: `name=value|value`, or the name alone where it is the value, with semicolons between;
  empty: each label is a class. By `label`, values may be nodes;
* `by_hand`: whether we assigned the classes, from what is known about the labels (a tomato is red),
  not from what each picture shows; `no`: they are the publisher's, or taxonomy;
* `note`: what else should be known;
* `share`: the part of the images that is taken (of training tasks).

A task stays out of the table if a linear classifier on the generic network (MobileNetV2 at 64
pixels, all images of `laptop`) has an error below 2%, where no expert can be better, or above nine
tenths of chance, where nothing can be learnt.
"""

from __future__ import annotations

import os.path
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from t2v.libraries.open_zoo.splits import hashed, stratum
from t2v.libraries.photographs.plans import Lineage, Row


@dataclass(frozen=True)
class Plan:
    """A task before its images are read.

    Attributes:
        name: name of the task.
        group: kind of question.
        lineage: place of the task in the taxonomy, root first.
        members: rows of the index for each class.
        class_lineages: path of each class where classes are labels, else empty.
    """

    name: str
    group: str
    lineage: Lineage
    members: dict[str, list[Row]]
    class_lineages: tuple[Lineage, ...] = ()


def make_plan(entry: Row, rows: Iterable[Row]) -> Plan | None:
    """The plan of one row of a table; None if images of a class are not there.

    Args:
        entry: the row of the table.
        rows: rows of the index from which the images are taken.
    """
    sources, of = entry["source"].split(), _split(entry["of"], ";")
    among = [row for row in rows if row["source"] in sources and (not of or of & _places(row))]
    if entry["classes"]:
        members = {}
        for item in entry["classes"].split(";"):
            name, _, values = item.partition("=")
            wanted, by = _split(values or name, "|"), entry["by"]
            members[name] = [
                row
                for row in among
                if (wanted & _places(row) if by == "label" else row.get(by) in wanted)
            ]
        paths: tuple[Lineage, ...] = ()
    else:
        members, leaves = {}, {}
        for row in among:
            members.setdefault(row["name"], []).append(row)
            leaves[row["name"]] = tuple(row["lineage"].split("/"))
        paths = tuple(leaves.values())
    if len(members) < 2 or not all(members.values()):
        return None
    lineage = tuple(_split_path(entry["lineage"])) or tuple(os.path.commonprefix(list(paths)))
    return Plan(entry["name"], entry["group"], lineage, members, paths)


def draw(plan: Plan, count: int | None, seed: int) -> Plan:
    """The plan with at most `count` images, spread evenly over labels and folds.

    Tasks about the same labels get the same images, whatever their question.
    """
    rows = [row for of_class in plan.members.values() for row in of_class]
    if count is None or len(rows) <= count:
        return plan
    strata = sorted({stratum(row) for row in rows})
    turn = {name: i + seed for i, name in enumerate(strata)}
    of_fold: Counter[tuple[str, str]] = Counter()
    order: list[tuple[int, int, int, Row]] = []
    for row in sorted(rows, key=lambda row: hashed(f"{seed}/{row['id']}")):
        name, fold = stratum(row), row["fold"] or "0"
        # each label begins with another fold, so that few images are not all in one
        order.append((of_fold[name, fold], (int(fold) - turn[name]) % 5, len(order), row))
        of_fold[name, fold] += 1
    in_stratum: Counter[str] = Counter()
    ranked: list[tuple[int, int, str]] = []
    for *_, i, row in sorted(order, key=lambda item: item[:3]):
        ranked.append((in_stratum[stratum(row)], i, row["id"]))
        in_stratum[stratum(row)] += 1
    kept = {path for *_, path in sorted(ranked)[:count]}
    members = {
        name: [row for row in of_class if row["id"] in kept]
        for name, of_class in plan.members.items()
    }
    return replace(plan, members=members)


def all_lineages(plans: Sequence[Plan], rows: Iterable[Row]) -> list[Lineage]:
    """Lineages of all labels, and of the tasks that ask for something else."""
    paths = {tuple(row["lineage"].split("/")) for row in rows}
    inner = {path[:n] for path in paths for n in range(1, len(path))}
    return sorted(paths | {plan.lineage for plan in plans if plan.lineage not in inner})


def _places(row: Row) -> frozenset[str]:
    return _names_above(row["label"], row.get("kingdom", ""), row["lineage"])


@cache
def _names_above(label: str, kingdom: str, lineage: str) -> frozenset[str]:
    return frozenset({label, kingdom, *lineage.split("/")[:-1]} - {""})


def _split(text: str, mark: str) -> set[str]:
    return set(text.split(mark)) if text else set()


def _split_path(text: str) -> list[str]:
    return text.split("/") if text else []
