"""Tables of the paper's numbers, its two meta-tasks on the miniatures, and the way through both."""

from __future__ import annotations

import csv
from collections import defaultdict

import numpy as np
import pytest

from t2v import load_library, load_probe
from t2v.book import chapter
from t2v.book.chapter import Chapter
from t2v.book.meta_tasks import build_meta_tasks
from t2v.experts.error_matrix import error_matrix
from t2v.experts.expert import generic_expert
from t2v.experts.fine_tuning import train_experts
from t2v.experts.training import Schedule
from t2v.libraries.expert_tasks import expert_tasks
from t2v.libraries.paper import counts, meta_tasks
from t2v.many_tasks import embed_tasks

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_counts_are_those_of_the_papers_figures():
    ours = defaultdict(dict)
    for row in rows("t2v/libraries/paper/counts.csv"):
        ours[row["library"]][row["what"]] = int(row["count"])
    for row in rows("book/paper/inat_cub_test_sizes.csv"):
        name = row["task"].split("] ")[1].split(" (")[0]
        if row["n_species"]:
            assert ours["inaturalist"][f"species of {name}"] == float(row["n_species"])
            assert int(row["n_test_images"]) == 3 * float(row["n_species"])
        else:
            assert ours["cub200"][f"test images of {name}"] == int(row["n_test_images"])
    assert ours["inaturalist"]["validation images"] == 3 * ours["inaturalist"]["species"]
    printed = {"orders": 207, "tasks": 25, "values": 228, "attributes": 1000}
    assert printed.items() <= {k: v for part in ours.values() for k, v in part.items()}.items()
    assert sum(printed.values()) == 1460
    assert set(ours) == {row["library"] for row in counts._table()}


def test_mixed_is_the_printed_matrix():
    library = {"CUB": "cub200", "INAT": "inaturalist", "IMAT": "imaterialist"}
    matrix = rows("book/paper/mixed.csv")
    ours = rows("t2v/libraries/paper/mixed.csv")
    tasks = [(row["library"], row["name"]) for row in ours if row["role"] == "task"]
    for row, (name, task) in zip(matrix, tasks, strict=True):
        source, _, printed = row["task"].removeprefix("[").partition("] ")
        assert (library.get(source, "deepfashion"), printed) == (name, task)
    heads = list(matrix[0])[1:26]
    experts = [row["name"] for row in ours if row["role"] == "expert"]
    for head, name in zip(heads, experts, strict=True):
        plain = name.removeprefix("all: ").casefold()
        assert head.casefold().replace("-", " ").removesuffix(" clothes") == plain


def test_members_follow_the_rules(data):
    members = meta_tasks.members("paper", 0, data)
    living = members["living"]
    assert living.tasks == living.experts  # each task has an expert of its own
    assert {name.split("/")[0] for name in living.tasks} == {"inaturalist", "cub200"}
    assert len(living.tasks) == 13 + 8
    mixed = members["mixed"]
    assert {"inaturalist/Aves", "imaterialist/all: color", "deepfashion/all: full body"} <= set(
        mixed.experts
    )
    assert {"cub200/Parulidae", "imaterialist/Winter Boots", "deepfashion/lace"} <= set(mixed.tasks)
    assert "imaterialist/Prom Dresses" not in mixed.tasks  # the miniature has none
    with pytest.warns(UserWarning, match=r"printed tasks of Mixed that are not in the data: \d+"):
        meta_tasks.members("paper", 0, data)


def test_broad_tasks_have_one_value_an_image(data, tmp_path, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path))
    tasks = {task.name: task for task in expert_tasks("paper", "paper", 0, data)}
    colour, body = tasks["imaterialist/all: color"], tasks["deepfashion/all: full body"]
    assert set(colour.classes) == {"Black", "Blue", "Green", "Red"} and colour.test is None
    binary = {task.classes[1]: task for task in load_library("imaterialist", "paper", 0, data)}
    of_colour = np.stack([binary[name].train.labels.numpy() for name in colour.classes])
    assert len(colour) == (of_colour.sum(0) == 1).sum() < of_colour.shape[1]
    counted = np.bincount(colour.labels.numpy())
    assert counted.tolist() == of_colour[:, of_colour.sum(0) == 1].sum(1).tolist()
    assert body.classes == ("Dress", "Romper")  # no garment is a kaftan
    aves = tasks["inaturalist/Aves"]
    assert aves.num_classes == 11 and len(aves) == sum(
        len(tasks[f"inaturalist/{order}"])
        for order in ("Passeriformes", "Charadriiformes", "Pelecaniformes", "Accipitriformes")
    )


def test_chapters_take_the_papers_protocol_unless_the_data_are_miniatures(data, monkeypatch):
    small = Chapter("paper", "paper", 0, "cpu", data)
    assert small.probe.name == "imagenet" and small.schedule.steps == 4
    assert Chapter("paper", "laptop", 0, "cpu", data).probe.image_size == 64
    monkeypatch.setattr(chapter, "any_miniature", lambda data: False)
    whole = Chapter("paper", "paper", 0, "cpu", data).schedule
    # 60 epochs of 10,000 images (Supp. C.1), batches of 64
    assert (whole.steps, whole.batch_size, whole.lr) == (60 * 10_000 // 64, 64, 0.001)


@pytest.mark.slow
def test_the_way_through(data, tmp_path, monkeypatch):
    """Tasks, experts, errors, embeddings and both meta-tasks, at a tiny schedule."""
    monkeypatch.setenv("T2V_CACHE", str(tmp_path))
    probe = load_probe("synthetic", device="cpu")
    members = meta_tasks.members("smoke", 0, data)
    training = expert_tasks("paper", "smoke", 0, data)
    wanted = {name for of in members.values() for name in of.tasks}
    tasks = [task for task in load_library("paper", "smoke", 0, data) if task.name in wanted]
    experts = train_experts(training, probe, schedule=Schedule(2, 8, 0.01), jobs=1)
    matrix = error_matrix(tasks, [generic_expert(probe), *experts], jobs=1)
    embeddings = [embed_tasks(part, probe, max_images=30, jobs=1) for part in (tasks, training)]
    metas = build_meta_tasks(matrix, tasks, training, tuple(embeddings), printed=members)
    assert set(metas) == {"living", "mixed"}
    for name, meta in metas.items():
        assert set(meta.task_names) <= set(members[name].tasks)
        assert list(meta.expert_names) == [n for n in matrix.experts if n in members[name].experts]
        assert np.isfinite(meta.errors).all() and meta.generic is not None
        own = np.array([[t == e for e in meta.expert_names] for t in meta.task_names])
        assert (meta.eligible == ~own).all()  # its own expert, and nothing else
    assert any((~meta.eligible).any() for meta in metas.values())
    again = [task.fingerprint for task in load_library("paper", "smoke", 0, data)]
    assert again == [task.fingerprint for task in load_library("paper", "smoke", 0, data)]
