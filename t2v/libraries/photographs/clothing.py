"""Clothing: groups of garments photographed by many people, and clothes of children or adults."""

from __future__ import annotations

from t2v.libraries.photographs.plans import (
    DataSet,
    Lineage,
    Row,
    TaskPlan,
    by_label,
    present,
    taxa,
)

GROUPS = {
    "upper body": ("Blouse", "Longsleeve", "Polo", "Shirt", "T_Shirt", "Top", "Undershirt"),
    "lower body": ("Pants", "Shorts", "Skirt"),
    "outer": ("Blazer", "Hoodie", "Outwear"),
    "whole body": ("Body", "Dress"),
    "head and feet": ("Hat", "Shoes"),
}
"""Our groups of the 17 labels; the publisher has none."""


def narrow_tasks(rows: list[Row], scale: str, seed: int) -> tuple[list[Lineage], list[TaskPlan]]:
    """The groups of garments, and adults' against children's clothes."""
    lineages = {
        label: ("clothing", group, label) for group, labels in GROUPS.items() for label in labels
    }
    plans = [
        TaskPlan(f"clothing/{path[-1]}", "garments", path, labels)
        for path, labels in taxa(rows, lineages, depths=(2,)).items()
    ]
    ages = {
        name: [row for row in rows if row["kids"] == flag]
        for name, flag in (("adult", "False"), ("child", "True"))
    }
    if all(ages.values()):
        plans.append(TaskPlan("clothing/age", "wearer", ("clothing", "age"), ages))
    return present(rows, lineages), plans


def broad_tasks(rows: list[Row], scale: str, seed: int) -> list[TaskPlan]:
    """One task: tell apart all labels."""
    images = by_label(rows)
    labels = sorted({label for labels in GROUPS.values() for label in labels} & set(images))
    members = {label: images[label] for label in labels}
    return [TaskPlan("clothing/all", "garments", ("clothing",), members)]


DATA_SET = DataSet(narrow_tasks, broad_tasks)
