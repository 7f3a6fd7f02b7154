"""Tasks on photographs, on made-up images whose pixels say which image they are."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from pathlib import Path

import networkx
import pytest
import torch
from PIL import Image

from t2v.errors import FileError, InputError
from t2v.libraries import PHOTOGRAPHS, load_library
from t2v.libraries.photographs.load import class_lineages, nest
from t2v.libraries.photographs.plans import LIMITS, facts, held_out

COUNTS = {"cub": 6, "tiny_imagenet": 12, "living_things": 8, "clothing": 12}


def write_set(root, name, rows, allowed="none", origin="publisher"):
    """A set as `data_scripts.fetch` leaves it; image i has the flat colour (i % 256, i // 256)."""
    folder = root / name
    for i, row in enumerate(rows):
        path = folder / row["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 6), (i % 256, i // 256, 0)).save(path)
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    about = dict.fromkeys(("title", "page", "licence", "credit", "what_was_changed"), "said")
    about |= {"origin": origin, "archives": [], "images": len(rows), "pictures_allowed": allowed}
    (folder / "source.json").write_text(json.dumps(about))


def rows_of(name):
    labels = {
        "cub": [f["label"] for f in facts("cub")],
        "living_things": [f["label"] for f in facts("living_things")],
        "tiny_imagenet": [f["id"] for f in facts("wordnet") if "," in f["words"]],
        "clothing": "Blouse Polo Shirt Top Pants Shorts Blazer Hoodie Hat Shoes".split(),
    }
    if name == "tiny_imagenet":
        parents = {p for f in facts("wordnet") for p in f["parents"].split()}
        labels[name] = [f["id"] for f in facts("wordnet") if f["id"] not in parents]
    if name == "fashion":
        return [
            {
                "path": f"images/any/{i}.png",
                "label": "any",
                "gender": ("Men", "Women", "Women")[i % 3],
                "masterCategory": ("Apparel", "Footwear")[i % 2],
                "baseColour": ("Black", "White", "Red", "NA")[min(i % 7, 3) if i % 29 else 2],
                "season": "Rare" if i % 40 == 0 else "Fall",
                "usage": "",
            }
            | ({"usage": "Casual"} if i % 11 else {})
            for i in range(400)
        ]
    return [
        {"path": f"images/{label}/{i}.png", "label": label, "kids": str(i % 4 == 0)}
        for label in labels[name]
        for i in range(COUNTS[name])
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for name in PHOTOGRAPHS:
        allowed = {"clothing": "all", "living_things": "Caltech-101"}.get(name, "none")
        write_set(root, name, rows_of(name), allowed)
    return root


def paths_of(task, data):
    """Which images a task has, read from its pixels."""
    with (data / task.name.split("/")[0] / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = task.images[:, 0, 48, 48].int() + 256 * task.images[:, 1, 48, 48].int()
    return [rows[int(n)] for n in numbers]


@pytest.fixture(scope="module")
def laptop(data):
    return {name: load_library(name, data=data) for name in PHOTOGRAPHS}


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_tasks_are_well_formed(laptop, data, name):
    tasks = laptop[name].tasks
    assert len(tasks) > 2 and len({t.name for t in tasks}) == len(tasks)
    for task in tasks:
        assert task.name.startswith(f"{name}/") and task.group and task.lineage
        assert task.images.dtype == torch.uint8 and task.images.shape[1:] == (3, 96, 96)
        assert len(task.train) <= 200 and len(task.held_out) <= 100
        # every class can be learnt, and is about as frequent as the others in its source
        counts = torch.bincount(task.train.labels, minlength=task.num_classes)
        assert counts.min() > 0
        paths = [row["path"] for row in paths_of(task, data)]
        assert len(set(paths)) == len(paths)
        if name in ("cub", "living_things"):
            below = [path[: len(task.lineage)] for path in task.class_lineages]
            assert below == [task.lineage] * task.num_classes
            assert [path[-1] for path in task.class_lineages] == list(task.classes)
        assert task.test.tolist() == [held_out(path) for path in paths]


def test_no_image_is_held_out_in_one_task_and_trained_on_in_another(data):
    sides = defaultdict(set)
    for scale, seed in (("laptop", 0), ("laptop", 1), ("smoke", 2)):
        for task in load_library("real", scale, seed, data):
            for row, test in zip(paths_of(task, data), task.test.tolist(), strict=True):
                sides[task.name.split("/")[0], row["path"]].add(test)
    assert len(sides) > 1000 and all(len(found) == 1 for found in sides.values())


def test_about_a_quarter_is_held_out():
    share = sum(held_out(f"images/a/{i}.jpg") for i in range(10_000)) / 10_000
    assert abs(share - 0.25) < 0.02  # five standard deviations


def test_seed_chooses_images_and_nothing_else(data):
    prints = [
        [t.fingerprint for t in load_library("fashion", "smoke", seed, data)] for seed in (0, 0, 1)
    ]
    assert prints[0] == prints[1] != prints[2]
    names = [[t.name for t in load_library("cub", "smoke", s, data)] for s in (0, 1)]
    assert names[0] == names[1]


def test_smoke_is_small(data):
    tasks = load_library("real", "smoke", data=data).tasks
    assert max(Counter(t.name.split("/")[0] for t in tasks).values()) == LIMITS["smoke"].tasks
    assert all(len(t.train) <= 40 and len(t.held_out) <= 20 for t in tasks)


def test_cub_orders_and_families(laptop, data):
    order = {f["label"]: f["order"] for f in facts("cub")}
    family = {f["label"]: f["family"] for f in facts("cub")}
    tasks = {t.name.split("/")[1]: t for t in laptop["cub"]}
    several = {o for o, n in Counter(order.values()).items() if n > 1} - {"Passeriformes"}
    passerine = Counter(family[label] for label in order if order[label] == "Passeriformes")
    assert set(tasks) == several | {f for f, n in passerine.items() if n > 1}
    for name, task in tasks.items():
        labels = {row["label"] for row in paths_of(task, data)}
        where = family if task.group == "Passeriformes" else order
        assert labels == {label for label in where if where[label] == name}
        assert task.lineage[2] == "Aves" and task.lineage[-1] == name
        for row, label in zip(paths_of(task, data), task.labels.tolist(), strict=True):
            assert row["label"].split(".")[1].replace("_", " ") == task.classes[label]


def test_tiny_imagenet_nodes(laptop, data):
    graph = networkx.DiGraph(
        (parent, f["id"]) for f in facts("wordnet") for parent in f["parents"].split()
    )
    leaves = {n for n in graph if graph.out_degree(n) == 0}
    assert len(leaves) == 200 and networkx.is_directed_acyclic_graph(graph)
    words = {f["id"]: f["words"] for f in facts("wordnet")}
    below = {n: frozenset(networkx.descendants(graph, n) & leaves) for n in graph}
    wanted = {s for s in below.values() if 4 <= len(s) <= 20}
    found = {}
    for task in load_library("tiny_imagenet", "paper", data=data):
        labels = {row["label"] for row in paths_of(task, data)}
        found[task.name] = frozenset(labels)
        assert sorted(task.classes) == sorted(words[i] for i in labels)
        assert any(words[n].split(",")[0] == task.lineage[-1] for n in graph if below[n] == labels)
    assert set(found.values()) == wanted and len(found) == len(wanted)
    largest = {s for s in wanted if not any(s < other for other in wanted)}
    small = {frozenset(r["label"] for r in paths_of(t, data)) for t in laptop["tiny_imagenet"]}
    assert small == largest


def test_living_things_are_disjoint_and_united(laptop, data):
    seen = Counter(leaf for task in laptop["living_things"] for leaf in task.classes)
    assert set(seen.values()) == {1}
    tasks = {t.name.split("/")[1]: t for t in laptop["living_things"]}
    cougar = tasks["Carnivora"].classes.index("cougar")
    of_cougar = {
        row["label"]
        for row, k in zip(
            paths_of(tasks["Carnivora"], data), tasks["Carnivora"].labels.tolist(), strict=True
        )
        if k == cougar
    }
    assert of_cougar == {"cougar_body", "cougar_face"}
    # a rank that is not known unites nothing: crab, crayfish and lobster are of different families
    assert len(tasks["Decapoda"].classes) == 3
    assert set(tasks["Mammalia, other orders"].classes) == {
        *("beaver", "elephant", "hedgehog", "kangaroo", "platypus", "rhino")
    }
    nested = {t.name.split("/")[1] for t in load_library("living_things", "paper", data=data)}
    assert {"Mammalia", "Carnivora", "Felidae", "Cercopithecidae"} <= nested


def test_fashion_tasks_share_their_images(laptop, data):
    tasks = laptop["fashion"].tasks
    assert all(t.images is tasks[0].images and (t.test == tasks[0].test).all() for t in tasks)
    assert {t.group for t in tasks} == {"gender", "category", "colour"}
    column = {"gender": "gender", "category": "masterCategory", "colour": "baseColour"}
    for task in tasks:
        value = task.lineage[-1]
        assert task.classes == (f"not {value}", value)
        rows = paths_of(task, data)
        assert task.labels.tolist() == [int(row[column[task.group]] == value) for row in rows]
        assert 0.07 <= task.train.labels.float().mean() <= 0.93
        assert all(row["usage"] and row["baseColour"] != "NA" for row in rows)


def test_clothing_groups_and_age(laptop, data):
    tasks = {t.name.split("/")[1]: t for t in laptop["clothing"]}
    assert set(tasks["upper body"].classes) == {"Blouse", "Polo", "Shirt", "Top"}
    assert "whole body" not in tasks, "one needs two labels, and neither is there"
    age = tasks["age"]
    assert [age.classes[k] for k in age.labels.tolist()] == [
        "child" if row["kids"] == "True" else "adult" for row in paths_of(age, data)
    ]


def test_provenance(data):
    library = load_library("real", "smoke", data=data)
    assert library.photographs
    assert set(library.provenance) == set(PHOTOGRAPHS) == set(library.taxonomy)
    shown = [name for p in library.provenance.values() for name in p["pictures_allowed"]]
    assert {name.split("/")[0] for name in shown} == {"clothing", "living_things"}
    primates = load_library("living_things", data=data)
    assert "living_things/Primates" not in primates.provenance["pictures_allowed"]
    assert "living_things/Insecta" in primates.provenance["pictures_allowed"]


def test_nest():
    paths = [("a", "b", "x"), ("a", "b", "y"), ("a", "z"), ("c", "w")]
    assert nest(paths) == {"a": {"b": ["x", "y"], "z": []}, "c": ["w"]}


def test_bad_image_is_left_out_and_reported(tmp_path):
    rows = rows_of("clothing") + [
        {"path": f"images/Hat/more{i}.png", "label": "Hat", "kids": "False"} for i in range(60)
    ]
    write_set(tmp_path, "clothing", rows)
    (tmp_path / "clothing/images/Hat/3.png").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"1 of \d+ images .*Hat/3\.png: empty file"):
        library = load_library("clothing", data=tmp_path)
    skipped = [{"path": "images/Hat/3.png", "reason": "empty file"}]
    assert library.provenance["skipped"] == skipped
    for task in library:
        for row, k in zip(paths_of(task, tmp_path), task.labels.tolist(), strict=True):
            assert row["path"] != "images/Hat/3.png"
            if task.group == "garments":
                assert task.classes[k] == row["label"]
    for i in range(4, 12):
        (tmp_path / f"clothing/images/Hat/{i}.png").unlink()
    with pytest.raises(InputError, match="9 of .*more than 1%"):
        load_library("clothing", data=tmp_path)


def test_where_the_data_are_looked_for(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("T2V_DATA", raising=False)
    with pytest.raises(FileError, match="data/cub: no photographs here; run python -m data_script"):
        load_library("cub")
    with pytest.raises(FileError, match="no photographs"):
        load_library("real")
    monkeypatch.setenv("T2V_DATA", str(data))
    assert len(load_library("cub", "smoke")) == 4


def test_damaged_sets(tmp_path):
    write_set(tmp_path, "clothing", rows_of("clothing"))
    (tmp_path / "clothing/index.csv").write_text("file,class\n1,2\n")
    with pytest.raises(FileError, match=r"index\.csv: damaged; remove the folder"):
        load_library("clothing", data=tmp_path)
    (tmp_path / "clothing/source.json").write_text("{")
    with pytest.raises(FileError, match="clothing: damaged .*; remove it and run"):
        load_library("clothing", data=tmp_path)


@pytest.mark.real
def test_photographs_on_disk():
    library = load_library("real", "smoke", data=Path(__file__).parents[2] / "data")
    assert all(t.images.float().std() > 20 for t in library), "flat images are no photographs"
    assert not any(p["skipped"] for p in library.provenance.values())


def test_class_lineages_are_known_for_all_classes_or_for_none():
    paths = [("life", "crane"), ("life", "owl"), ("things", "crane")]
    assert class_lineages(["owl, bird of Minerva"], paths) == (("life", "owl"),)
    assert class_lineages(["owl", "not owl"], paths) == ()
    assert class_lineages(["owl", "crane"], paths) == ()  # which of the two?
