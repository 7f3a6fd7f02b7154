"""Living things: animals and plants of Caltech-101 and those of 10 Monkey Species, by taxon."""

from __future__ import annotations

from collections.abc import Collection

from t2v.libraries.photographs.plans import (
    DataSet,
    Lineage,
    Row,
    TaskPlan,
    facts,
    present,
    taxa,
    union,
)

RANKS = ("kingdom", "phylum", "class", "order", "family")


def narrow_tasks(rows: list[Row], scale: str, seed: int) -> tuple[list[Lineage], list[TaskPlan]]:
    """Orders, and what remains of classes; at `paper` all classes, orders and families."""
    lineages = {}
    for row in facts("living_things"):
        # an unknown rank gets a name that no other leaf has, so that it unites nothing
        ranks = [row[rank] or f"{row['leaf']} ({rank})" for rank in RANKS]
        lineages[row["label"]] = (*ranks, row["leaf"])
    nodes = taxa(rows, lineages, depths=(3, 4, 5) if scale == "paper" else (4,))
    plans = [_plan(path, path[-1], leaves) for path, leaves in nodes.items()]
    if scale != "paper":
        used = {leaf for leaves in nodes.values() for leaf in leaves}
        for path, leaves in taxa(rows, lineages, depths=(3,)).items():
            rest = {leaf: images for leaf, images in leaves.items() if leaf not in used}
            if len(rest) > 1:
                others = "" if len(rest) == len(leaves) else ", other orders"
                plans.append(_plan(path, path[-1] + others, rest))
    return present(rows, lineages), plans


def _plan(path: Lineage, name: str, leaves: dict[str, list[Row]]) -> TaskPlan:
    """A task in the group that the paper's Fig. 1 would give it."""
    if path[0] == "Plantae":
        group = "Plantae"
    else:
        group = path[2] if path[1] == "Chordata" else path[1]
    return TaskPlan(f"living_things/{name}", group, path, leaves)


def broad_tasks(rows: list[Row], scale: str, seed: int) -> list[TaskPlan]:
    """All leaves of each kingdom."""
    kingdoms: dict[str, list[TaskPlan]] = {}
    for plan in narrow_tasks(rows, scale, seed)[1]:
        kingdoms.setdefault(plan.lineage[0], []).append(plan)
    return [
        union(f"living_things/all {kingdom}", kingdom, plans) for kingdom, plans in kingdoms.items()
    ]


def may_show(classes: Collection[str], allowed: str) -> bool:
    """Whether a published page may show images of these classes: not if monkeys are among them."""
    monkeys = {row["leaf"] for row in facts("living_things") if row["source"] != "Caltech-101"}
    return allowed == "all" or (allowed == "Caltech-101" and monkeys.isdisjoint(classes))


DATA_SET = DataSet(narrow_tasks, broad_tasks, may_show=may_show)
