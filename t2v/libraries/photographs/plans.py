"""Which tasks the photographs are made into: from rows of an index to rows for every class."""

from __future__ import annotations

import csv
import hashlib
import os.path
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

Row = dict[str, str]
Lineage = tuple[str, ...]

HELD_OUT = 0.25
"""Share of the images that is held out."""

WORDNET_CLASSES = (4, 20)
"""Fewest and most classes of a `tiny_imagenet` task."""

ATTRIBUTES = {
    "gender": "gender",
    "masterCategory": "category",
    "baseColour": "colour",
    "season": "season",
    "usage": "usage",
}

RAREST = 0.07
"""Least share of the training images on either side of a `fashion` task."""

GARMENTS = {
    "upper body": ("Blouse", "Longsleeve", "Polo", "Shirt", "T_Shirt", "Top", "Undershirt"),
    "lower body": ("Pants", "Shorts", "Skirt"),
    "outer": ("Blazer", "Hoodie", "Outwear"),
    "whole body": ("Body", "Dress"),
    "head and feet": ("Hat", "Shoes"),
}
"""Our grouping of the clothing set's 17 labels; the set itself has none."""


@dataclass(frozen=True)
class Scale:
    """At most so many images and tasks; None: all there are."""

    train: int | None  # training images of a task, spread evenly over its classes
    test: int | None  # held-out images of a task, likewise
    tasks: int | None  # tasks of a source
    size: int  # pixels


SCALES = {
    "smoke": Scale(train=40, test=20, tasks=4, size=96),
    "laptop": Scale(train=200, test=100, tasks=None, size=96),
    "paper": Scale(train=None, test=None, tasks=None, size=224),
}


@dataclass(frozen=True)
class Plan:
    """A task before its images are loaded: rows of the index for each class."""

    name: str
    group: str
    lineage: Lineage
    members: Mapping[str, Sequence[Row]]
    drawn: bool = False  # the rows are chosen already


def held_out(path: str) -> bool:
    """Whether an image is held out: by a hash of its path inside `data`."""
    return _unit(f"held out/{path}") < HELD_OUT


def _unit(key: str) -> float:
    """A number in [0, 1) that looks drawn at random and is the same everywhere."""
    return int(hashlib.sha256(key.encode()).hexdigest()[:13], 16) / 16**13


def spread(plans: list[Plan], count: int | None) -> list[Plan]:
    """`count` plans, evenly over the list."""
    if count is None or count >= len(plans):
        return plans
    return [plans[i * len(plans) // count] for i in range(count)]


def draw(plan: Plan, limit: Scale, seed: int) -> Plan:
    """The plan with no more images than the scale allows, evenly over its classes."""
    if plan.drawn:
        return plan
    members = {}
    for name, rows in plan.members.items():
        shuffled = sorted(rows, key=lambda row: _unit(f"{seed}/{row['path']}"))
        chosen = []
        for side, most in ((False, limit.train), (True, limit.test)):
            of_side = [row for row in shuffled if held_out(row["path"]) == side]
            chosen += of_side if most is None else of_side[: max(1, most // len(plan.members))]
        members[name] = sorted(chosen, key=lambda row: row["path"])
    return Plan(plan.name, plan.group, plan.lineage, members)


def facts(table: str) -> list[Row]:
    """A table of `taxonomies/`; `taxonomies/sources.json` says where its facts are from."""
    place = files("t2v.libraries.photographs") / "taxonomies" / f"{table}.csv"
    with place.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _cub(rows: list[Row], scale: str, seed: int) -> tuple[list[Lineage], list[Plan]]:
    lineage = {
        f["label"]: (
            *("Animalia", "Chordata", "Aves", f["order"], f["family"]),
            f["label"].partition(".")[2].replace("_", " "),
        )
        for f in facts("cub")
    }
    orders = {
        path: ("other birds", path[-1], classes)
        for path, classes in _nodes(rows, lineage, depths=(4,)).items()
        if path[-1] != "Passeriformes"
    }
    families = {
        path: ("Passeriformes", path[-1], classes)
        for path, classes in _nodes(rows, lineage, depths=(5,)).items()
        if path[-2] == "Passeriformes"
    }
    return _present(rows, lineage), _plans("cub", {**orders, **families})


_RANKS = ("kingdom", "phylum", "class", "order", "family")


def _living_things(rows: list[Row], scale: str, seed: int) -> tuple[list[Lineage], list[Plan]]:
    lineage = {}
    for f in facts("living_things"):
        # a rank that is not known is taken by the leaf alone, so that it unites with nothing
        ranks = [f[rank] or f"{f['leaf']} ({rank})" for rank in _RANKS]
        lineage[f["label"]] = (*ranks, f["leaf"])
    found = _nodes(rows, lineage, depths=(3, 4, 5) if scale == "paper" else (4,))
    nodes = {path: (_kind(path), path[-1], classes) for path, classes in found.items()}
    if scale != "paper":
        taken = {leaf for path in found for leaf in found[path]}
        for path, classes in _nodes(rows, lineage, depths=(3,)).items():
            rest = {leaf: images for leaf, images in classes.items() if leaf not in taken}
            if len(rest) > 1:
                some = "" if len(rest) == len(classes) else ", other orders"
                nodes[path] = (_kind(path), path[-1] + some, rest)
    return _present(rows, lineage), _plans("living_things", nodes)


def _kind(path: Lineage) -> str:
    """The paper's Fig. 1 names tasks by such groups."""
    if path[0] == "Plantae":
        return "Plantae"
    return path[2] if path[1] == "Chordata" else path[1]


def _tiny_imagenet(rows: list[Row], scale: str, seed: int) -> tuple[list[Lineage], list[Plan]]:
    known = {f["id"]: f for f in facts("wordnet")}
    short = {i: f["words"].split(",")[0] for i, f in known.items()}

    @cache
    def up(node: str) -> frozenset[str]:
        parents = known[node]["parents"].split()
        return frozenset([node]).union(*(up(p) for p in parents))

    def ids(node: str) -> Lineage:
        parents = known[node]["parents"].split()
        return (*(ids(parents[0]) if parents else ()), node)

    images: dict[str, list[Row]] = {}
    for row in rows:
        images.setdefault(row["label"], []).append(row)
    below: dict[str, set[str]] = {}
    for leaf in sorted(images):
        for node in up(leaf) - {leaf}:
            below.setdefault(node, set()).add(leaf)
    fewest, most = WORDNET_CLASSES
    sets: dict[frozenset[str], str] = {}
    for node, leaves in sorted(below.items()):
        if fewest <= len(leaves) <= most:
            # of nodes with the same classes the lowest, which says most
            other = sets.get(frozenset(leaves))
            if other is None or len(ids(node)) > len(ids(other)):
                sets[frozenset(leaves)] = node
    plans = []
    for leaves, node in sorted(sets.items(), key=lambda item: ids(item[1])):
        if scale != "paper" and any(leaves < larger for larger in sets):
            continue
        path = tuple(short[i] for i in ids(node))
        same = [other for other in sets.values() if short[other] == short[node]]
        name = short[node] if len(same) == 1 else known[node]["words"]
        members = {known[i]["words"]: images[i] for i in sorted(leaves)}
        plans.append(Plan(f"tiny_imagenet/{name}", _realm(path), path, members))
    return [tuple(short[i] for i in ids(leaf)) for leaf in sorted(images)], plans


def _realm(path: Lineage) -> str:
    for name, realm in (("animal", "animals"), ("artifact", "artifacts"), ("matter", "matter")):
        if name in path:
            return realm
    return "nature"


def _fashion(rows: list[Row], scale: str, seed: int) -> tuple[list[Lineage], list[Plan]]:
    """Binary tasks that share one set of images, so these are drawn here, once for all."""
    known = [row for row in rows if not {row[c] for c in ATTRIBUTES} & {"", "NA"}]
    limit = SCALES[scale]
    everything = Plan("fashion", "", (), {"": known})
    pool = draw(everything, limit, seed).members[""]
    train = [row for row in pool if not held_out(row["path"])]
    plans, lineages = [], []
    for column, attribute in ATTRIBUTES.items():
        for value in sorted({row[column] for row in pool}):
            path = ("fashion", attribute, value)
            lineages.append(path)
            sides = [
                [row for row in pool if (row[column] == value) == wanted]
                for wanted in (False, True)
            ]
            learn = [sum(not held_out(row["path"]) for row in side) for side in sides]
            check = [len(side) - n for side, n in zip(sides, learn, strict=True)]
            if min(learn) >= RAREST * len(train) and min(check) >= 3:
                members = dict(zip((f"not {value}", value), sides, strict=True))
                name = f"fashion/{attribute}: {value}"
                plans.append(Plan(name, attribute, path, members, drawn=True))
    return lineages, plans


def _clothing(rows: list[Row], scale: str, seed: int) -> tuple[list[Lineage], list[Plan]]:
    group = {label: name for name, labels in GARMENTS.items() for label in labels}
    lineage = {label: ("clothing", name, label) for label, name in group.items()}
    nodes = {
        path: ("garments", path[-1], classes)
        for path, classes in _nodes(rows, lineage, depths=(2,)).items()
    }
    plans = _plans("clothing", nodes)
    ages = {
        name: [row for row in rows if row["kids"] == flag]
        for name, flag in (("adult", "False"), ("child", "True"))
    }
    if all(ages.values()):
        plans.append(Plan("clothing/age", "wearer", ("clothing", "age"), ages))
    return _present(rows, lineage), plans


SOURCES: dict[str, Callable[[list[Row], str, int], tuple[list[Lineage], list[Plan]]]] = {
    "cub": _cub,
    "tiny_imagenet": _tiny_imagenet,
    "living_things": _living_things,
    "fashion": _fashion,
    "clothing": _clothing,
}


def _by_group(rows: list[Row], scale: str, seed: int, source: str, halves: bool) -> list[Plan]:
    """The tasks of each group as one, or every other of them; and all of the set."""
    groups: dict[str, list[Plan]] = {}
    for plan in SOURCES[source](rows, scale, seed)[1]:
        groups.setdefault(plan.group, []).append(plan)
    found = []
    for group, plans in groups.items():
        parts = {"A": plans[::2], "B": plans[1::2]} if halves else {"": plans}
        found += [
            _together(f"{source}/all {group} {half}".strip(), group, part)
            for half, part in parts.items()
            if len(part) > 1
        ]
    return found


def _together(name: str, group: str, plans: Sequence[Plan]) -> Plan:
    members = {leaf: images for plan in plans for leaf, images in plan.members.items()}
    shared = os.path.commonprefix([plan.lineage for plan in plans])
    return Plan(name, group, tuple(shared), members)


def _broad_cub(rows: list[Row], scale: str, seed: int) -> list[Plan]:
    groups = _by_group(rows, scale, seed, "cub", halves=False)
    return [*groups, _together("cub/all birds", "birds", groups)]


def _broad_living_things(rows: list[Row], scale: str, seed: int) -> list[Plan]:
    kingdoms: dict[str, list[Plan]] = {}
    for plan in SOURCES["living_things"](rows, scale, seed)[1]:
        kingdoms.setdefault(plan.lineage[0], []).append(plan)
    return [
        _together(f"living_things/all {kingdom}", kingdom, plans)
        for kingdom, plans in kingdoms.items()
    ]


def _broad_tiny_imagenet(rows: list[Row], scale: str, seed: int) -> list[Plan]:
    plans = _by_group(rows, scale, seed, "tiny_imagenet", halves=True)
    return sorted(plans, key=lambda plan: -len(plan.members))[:4]


def _broad_fashion(rows: list[Row], scale: str, seed: int) -> list[Plan]:
    plans = []
    for column, attribute in ATTRIBUTES.items():
        members: dict[str, list[Row]] = {}
        for row in rows:
            if row[column] not in ("", "NA"):
                members.setdefault(row[column], []).append(row)
        learnt = {v: [r for r in of if not held_out(r["path"])] for v, of in members.items()}
        members = {v: members[v] for v in sorted(members) if len(learnt[v]) >= 20}
        if len(members) > 1:
            name = f"fashion/all: {attribute}"
            plans.append(Plan(name, attribute, ("fashion", attribute), members))
    return plans


def _broad_clothing(rows: list[Row], scale: str, seed: int) -> list[Plan]:
    members: dict[str, list[Row]] = {}
    for row in rows:
        members.setdefault(row["label"], []).append(row)
    known = {label for labels in GARMENTS.values() for label in labels}
    kept = {label: members[label] for label in sorted(known & set(members))}
    return [Plan("clothing/all", "garments", ("clothing",), kept)]


BROAD: dict[str, Callable[[list[Row], str, int], list[Plan]]] = {
    "cub": _broad_cub,
    "tiny_imagenet": _broad_tiny_imagenet,
    "living_things": _broad_living_things,
    "fashion": _broad_fashion,
    "clothing": _broad_clothing,
}
"""The broad tasks of each set, on which experts are trained (`t2v.libraries.expert_tasks`)."""


def _nodes(
    rows: list[Row], lineage: Mapping[str, Lineage], depths: Sequence[int]
) -> dict[Lineage, dict[str, list[Row]]]:
    """Taxa at these depths with several leaves: path -> leaf -> images; no set of leaves twice."""
    found: dict[Lineage, dict[str, list[Row]]] = {}
    for row in rows:
        path = lineage.get(row["label"])
        if path is None:
            continue
        for depth in depths:
            found.setdefault(path[:depth], {}).setdefault(path[-1], []).append(row)
    unique: dict[frozenset[str], Lineage] = {}
    for path, classes in sorted(found.items()):
        if len(classes) > 1:
            unique[frozenset(classes)] = path  # the deepest path of equals comes last
    return {path: dict(sorted(found[path].items())) for path in sorted(unique.values())}


def _plans(source: str, nodes: Mapping[Lineage, tuple[str, str, Mapping]]) -> list[Plan]:
    return [
        Plan(f"{source}/{name}", group, path, classes)
        for path, (group, name, classes) in nodes.items()
    ]


def _present(rows: list[Row], lineage: Mapping[str, Lineage]) -> list[Lineage]:
    return sorted({lineage[row["label"]] for row in rows if row["label"] in lineage})
