"""CUB-200-2011: birds by order; Passeriformes, half of them, by family.

So the tasks are divided in the paper's iNat+CUB meta-task (Sect. 5 and Supp. C).
"""

from __future__ import annotations

from t2v.libraries.photographs.plans import (
    DataSet,
    Lineage,
    Row,
    TaskPlan,
    by_group,
    facts,
    present,
    taxa,
    union,
)


def narrow_tasks(rows: list[Row], scale: str, seed: int) -> tuple[list[Lineage], list[TaskPlan]]:
    """The orders with more than one species but Passeriformes, then the families of these."""
    lineages = {
        row["label"]: (
            *("Animalia", "Chordata", "Aves", row["order"], row["family"]),
            row["label"].partition(".")[2].replace("_", " "),
        )
        for row in facts("cub")
    }
    plans = [
        TaskPlan(f"cub/{path[-1]}", "other birds", path, species)
        for path, species in taxa(rows, lineages, depths=(4,)).items()
        if path[-1] != "Passeriformes"
    ]
    plans += [
        TaskPlan(f"cub/{path[-1]}", "Passeriformes", path, species)
        for path, species in taxa(rows, lineages, depths=(5,)).items()
        if path[-2] == "Passeriformes"
    ]
    return present(rows, lineages), plans


def broad_tasks(rows: list[Row], scale: str, seed: int) -> list[TaskPlan]:
    """All species of each group, and all birds."""
    groups = by_group(narrow_tasks(rows, scale, seed)[1])
    plans = [
        union(f"cub/all {group}", group, parts) for group, parts in groups.items() if len(parts) > 1
    ]
    return [*plans, union("cub/all birds", "birds", plans)]


DATA_SET = DataSet(narrow_tasks, broad_tasks)
