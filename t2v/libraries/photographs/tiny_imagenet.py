"""Tiny ImageNet: nodes of WordNet and the classes below them."""

from __future__ import annotations

from functools import cache

from t2v.libraries.photographs.plans import (
    DataSet,
    Lineage,
    Row,
    TaskPlan,
    by_group,
    by_label,
    facts,
    union,
)

CLASSES = (4, 20)
"""Smallest and largest number of classes of a task."""

LARGEST = 4
"""Number of halves of groups that experts are trained on."""


def narrow_tasks(rows: list[Row], scale: str, seed: int) -> tuple[list[Lineage], list[TaskPlan]]:
    """Nodes with few enough classes; but at `paper`, only those inside no other such node."""
    synsets = {row["id"]: row for row in facts("wordnet")}
    short = {i: synset["words"].split(",")[0] for i, synset in synsets.items()}

    @cache
    def ancestors(node: str) -> frozenset[str]:
        """The node and all that is above it."""
        parents = synsets[node]["parents"].split()
        return frozenset([node]).union(*(ancestors(parent) for parent in parents))

    def path(node: str) -> Lineage:
        """The way to the node from the root, by first parents."""
        parents = synsets[node]["parents"].split()
        return (*(path(parents[0]) if parents else ()), node)

    images = by_label(rows)
    below: dict[str, set[str]] = {}
    for leaf in sorted(images):
        for node in ancestors(leaf) - {leaf}:
            below.setdefault(node, set()).add(leaf)
    nodes: dict[frozenset[str], str] = {}
    for node, leaves in sorted(below.items()):
        if CLASSES[0] <= len(leaves) <= CLASSES[1]:
            # of nodes with the same classes the lowest, which says most
            other = nodes.get(frozenset(leaves))
            if other is None or len(path(node)) > len(path(other)):
                nodes[frozenset(leaves)] = node
    plans = []
    for classes, node in sorted(nodes.items(), key=lambda item: path(item[1])):
        if scale != "paper" and any(classes < larger for larger in nodes):
            continue
        lineage = tuple(short[i] for i in path(node))
        namesakes = [other for other in nodes.values() if short[other] == short[node]]
        name = short[node] if len(namesakes) == 1 else synsets[node]["words"]
        members = {synsets[i]["words"]: images[i] for i in sorted(classes)}
        plans.append(TaskPlan(f"tiny_imagenet/{name}", _group(lineage), lineage, members))
    return [tuple(short[i] for i in path(leaf)) for leaf in sorted(images)], plans


def _group(lineage: Lineage) -> str:
    for name, group in (("animal", "animals"), ("artifact", "artifacts"), ("matter", "matter")):
        if name in lineage:
            return group
    return "nature"


def broad_tasks(rows: list[Row], scale: str, seed: int) -> list[TaskPlan]:
    """The `LARGEST` of the halves of groups, each with every other task of the group."""
    plans = [
        union(f"tiny_imagenet/all {group} {half}", group, parts)
        for group, tasks in by_group(narrow_tasks(rows, scale, seed)[1]).items()
        for half, parts in (("A", tasks[::2]), ("B", tasks[1::2]))
        if len(parts) > 1
    ]
    return sorted(plans, key=lambda plan: -len(plan.members))[:LARGEST]


DATA_SET = DataSet(narrow_tasks, broad_tasks, size=96)
