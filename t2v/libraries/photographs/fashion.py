"""Fashion product images: one binary task per value of an attribute, all on the same images.

They are the counterpart of the paper's iMaterialist tasks.
"""

from __future__ import annotations

from collections.abc import Sequence

from t2v.libraries.photographs.plans import (
    LIMITS,
    DataSet,
    Lineage,
    Row,
    TaskPlan,
    draw,
    held_out,
)

ATTRIBUTES = {
    "gender": "gender",
    "masterCategory": "category",
    "baseColour": "colour",
    "season": "season",
    "usage": "usage",
}
"""Columns of the index and the attributes they hold."""

UNKNOWN = ("", "NA")

RAREST = 0.07
"""Smallest share of the training images in either class of a task."""


def narrow_tasks(rows: list[Row], scale: str, seed: int) -> tuple[list[Lineage], list[TaskPlan]]:
    """Binary tasks on one set of images, which is drawn here, once for all of them."""
    known = [row for row in rows if all(row[column] not in UNKNOWN for column in ATTRIBUTES)]
    pool = draw(TaskPlan("fashion", "", (), {"": known}), LIMITS[scale], seed).members[""]
    least = RAREST * _count_train(pool)
    plans: list[TaskPlan] = []
    lineages: list[Lineage] = []
    for column, attribute in ATTRIBUTES.items():
        for value in sorted({row[column] for row in pool}):
            lineage = ("fashion", attribute, value)
            lineages.append(lineage)
            members = {
                f"not {value}": [row for row in pool if row[column] != value],
                value: [row for row in pool if row[column] == value],
            }
            train = {name: _count_train(side) for name, side in members.items()}
            if all(
                train[name] >= least and len(side) - train[name] >= 3
                for name, side in members.items()
            ):
                name = f"fashion/{attribute}: {value}"
                plans.append(TaskPlan(name, attribute, lineage, members, drawn=True))
    return lineages, plans


def broad_tasks(rows: list[Row], scale: str, seed: int) -> list[TaskPlan]:
    """One task per attribute: tell apart its values with 20 training images or more."""
    plans = []
    for column, attribute in ATTRIBUTES.items():
        values: dict[str, list[Row]] = {}
        for row in rows:
            if row[column] not in UNKNOWN:
                values.setdefault(row[column], []).append(row)
        members = {v: values[v] for v in sorted(values) if _count_train(values[v]) >= 20}
        if len(members) > 1:
            name = f"fashion/all: {attribute}"
            plans.append(TaskPlan(name, attribute, ("fashion", attribute), members))
    return plans


def _count_train(rows: Sequence[Row]) -> int:
    return sum(not held_out(row["path"]) for row in rows)


DATA_SET = DataSet(narrow_tasks, broad_tasks, size=96)
