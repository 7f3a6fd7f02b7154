"""The open zoo: shards as in their manifests, parts and folds that share nothing, credits."""

import hashlib
import io
import re
import zipfile
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from t2v.book.meta_tasks import LIFE
from t2v.errors import FileError, InputError
from t2v.experts.error_matrix import _overlap
from t2v.experts.expert import Expert
from t2v.libraries import credit_of, load_library
from t2v.libraries.expert_tasks import expert_tasks
from t2v.libraries.open_zoo import shards
from t2v.libraries.open_zoo.load import SIZES, load, training_tasks
from t2v.libraries.open_zoo.plans import draw, make_plan
from t2v.libraries.open_zoo.splits import EXPERTS, FOLDS, TASKS, deal, groups

FEWEST = 60  # tested images of a task


@pytest.fixture(scope="module")
def library():
    return load_library("open")


@pytest.fixture(scope="module")
def index():
    return shards.read_index()


def hashes(images):
    return {hashlib.sha256(image.numpy().tobytes()).hexdigest() for image in images}


@pytest.mark.parametrize("source", shards.SOURCES)
def test_shards_are_those_of_the_manifests(source):
    about = shards.manifest(source)
    assert (
        hashlib.sha256((shards.FOLDER / about["index"]).read_bytes()).hexdigest()
        == (about["index_sha256"])
    )
    members = []
    for archive in about["archives"]:
        content = (shards.FOLDER / archive["archive"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == archive["sha256"]
        assert len(content) < 5e6
        with zipfile.ZipFile(io.BytesIO(content)) as box:
            assert len(box.namelist()) == archive["images"]
            members += box.namelist()
    rows = [row for row in shards.read_index() if row["source"] == source]
    assert sorted(row["path"] for row in rows) == sorted(members) and len(rows) == about["images"]


def test_licences_that_must_be_handed_on_are_there():
    texts = {path.name for path in (shards.FOLDER / "licences").iterdir()}
    credits = (shards.FOLDER / "CREDITS.md").read_text(encoding="utf-8")
    for source in shards.SOURCES:
        about = shards.manifest(source)
        assert about["credit"] in credits and about["licence"] in credits
        if re.match("MIT|Apache", about["licence"]):
            assert any(name.startswith(source) for name in texts), source


def test_a_group_has_one_part_and_one_fold(index):
    of_group = defaultdict(set)
    for row in index:
        of_group[row["source"], row["group"]].add((row["part"], row["fold"]))
    assert all(len(places) == 1 for places in of_group.values())
    assert {row["part"] for row in index} == {EXPERTS, TASKS}
    assert {row["fold"] for row in index if row["part"] == TASKS} == {str(k) for k in range(FOLDS)}
    share = Counter((row["source"], row["part"]) for row in index)
    for source in shards.SOURCES:
        of_experts, of_tasks = share[source, EXPERTS], share[source, TASKS]
        # two fifths; Omniglot's 20 drawers allow it exactly, large contributors of garments nearly
        assert of_experts / (of_experts + of_tasks) == pytest.approx(0.4, abs=0.1), source


def test_drawers_photographers_contributors_and_people_are_groups():
    rows = [row for row in shards.read_index() if row["source"] == "omniglot"]
    assert len({row["group"] for row in rows}) == 20
    paths = "0/IMG_1118 5/IMG_1123 8/IMG_1126 4/IMG_1132 6/IMG_1134 0/IMG_1138 1/IMG_1239"
    hands = [{"path": f"digit_{path}.webp"} for path in paths.split()]
    people = groups("signdigits", hands[::-1])[::-1]
    assert [people.index(person) for person in people] == [0, 0, 0, 3, 3, 5, 6]
    assert groups("grocery", [{"path": "a"}, {"path": "b"}]) == ["a", "b"]


def test_deal_is_even_over_labels_and_does_not_depend_on_the_order():
    rng = np.random.default_rng(0)
    rows = [{"group": f"g{rng.integers(40)}", "label": "ab"[i % 2]} for i in range(400)]
    dealt = deal(rows, "salt")
    shuffled = rng.permutation(400)
    assert [deal([rows[i] for i in shuffled], "salt")[j] for j in np.argsort(shuffled)] == dealt
    for label in "ab":
        counts = Counter(k for k, row in zip(dealt, rows, strict=True) if row["label"] == label)
        assert max(counts.values()) - min(counts.values()) <= 10  # the size of a group


@pytest.mark.parametrize("seeds", [(0, 0), (0, 1)])
def test_no_expert_sees_an_image_of_a_task(seeds, library):
    tested = set().union(*(hashes(task.images) for task in library))
    for task in expert_tasks("open", "smoke", seeds[1]):
        assert task.folds is None and task.test is None
        assert not hashes(task.images) & tested, task.name


def test_tasks_are_many_and_large_enough(library):
    assert 80 <= len(library) <= 120 and library.photographs
    assert len({task.name for task in library}) == len(library)
    for task in library:
        assert len(task.held_out) == len(task) >= FEWEST, task.name
        for k in range(task.num_classes):
            assert len(task.folds[task.labels == k].unique()) > 1
    assert {len(task.folds.unique()) for task in library} == {FOLDS}
    counts = Counter(task.group for task in library)
    assert len(counts) > 20 and max(counts.values()) < 10


def test_the_taxonomy_is_deep(library):
    def depth(tree):
        return 1 + max(map(depth, tree.values()), default=0) if isinstance(tree, dict) else 1

    assert set(LIFE[1:]) < set(library.taxonomy) and len(library.taxonomy) > 6
    assert {root: depth(library.taxonomy[root]) for root in LIFE[1:]} == dict.fromkeys(LIFE[1:], 6)
    for task in library:
        node = library.taxonomy
        for name in task.lineage:
            assert name in node, (task.name, name)
            node = node[name] if isinstance(node, dict) else {}
    with_leaves = [task for task in library if task.class_lineages]
    assert len(with_leaves) > 50
    for task in with_leaves:
        assert [path[-1] for path in task.class_lineages] == list(task.classes)


def test_every_value_of_the_tables_is_found(index):
    places, values = defaultdict(set), defaultdict(set)
    for row in index:
        nodes = {row["label"], row.get("kingdom"), *row["lineage"].split("/")[:-1]}
        places[row["source"]] |= nodes
        values[row["source"], "label"] |= nodes
        for column in ("kids", "sleeve", "kingdom", "coarse", "brand", "flavour", "ecological",
                       "alphabet"):  # fmt: skip
            values[row["source"], column].add(row.get(column))
    entries = [*shards.table("tasks"), *shards.table("training_tasks")]
    for entry in entries:
        sources = entry["source"].split()
        of = set(filter(None, entry["of"].split(";")))
        assert of <= set().union(*(places[source] for source in sources)), entry["name"]
        for item in filter(None, entry["classes"].split(";")):
            name, _, wanted = item.partition("=")
            known = values[sources[0], entry["by"]]
            assert set((wanted or name).split("|")) <= known, entry["name"]
    assert {row["by_hand"] for row in shards.table("tasks")} == {"yes", "no"}


def test_tasks_about_the_same_labels_share_their_images(library):
    garments = [task for task in library if task.name.startswith("clothing: ")]
    sets = Counter(id(task.images) for task in garments)
    assert max(sets.values()) >= 3
    assert len({id(task.images) for task in library}) < len(library) - 15
    one, other = (t for t in library if t.name in ("waste: material", "waste: which bin"))
    assert one.images is other.images and torch.equal(one.folds, other.folds)


def test_images_are_centre_crops_of_the_files(library):
    task = library.tasks[0]
    path = library.paths[task.name][5]
    row = next(row for row in shards.read_index() if row["id"] == path)
    with zipfile.ZipFile(shards.FOLDER / row["archive"]) as box:
        image = Image.open(io.BytesIO(box.read(row["path"]))).convert("RGB")
    side = min(image.size)
    left, top = ((n - side) // 2 for n in image.size)
    crop = np.asarray(image.crop((left, top, left + side, top + side)).resize((64, 64)))
    shown = task.images[5].permute(1, 2, 0).numpy()
    fit = np.asarray(ImageOps.fit(image, (64, 64), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(shown, fit)
    assert np.abs(shown.astype(float) - crop).mean() < 12  # half a pixel of shift at most
    assert task.classes[task.labels[5]] == row["name"]


def test_every_image_has_a_credit(library, index):
    for row in index:
        credit = credit_of(row["id"])
        about = shards.manifest(row["source"]) if row["source"] == "flowers" else None
        assert credit.path == row["id"] and re.match("CC|MIT|Apache", credit.licence)
        assert credit.source and credit.credit and credit.page.startswith("https://")
        if about:
            assert row["photographer"] in credit.credit and credit.page == row["url"]
    for task in library:
        assert len(library.paths[task.name]) == len(task)
    with pytest.raises(InputError, match="image 'a/b.webp' is not in the open zoo"):
        credit_of("a/b.webp")


def test_provenance_counts_images_by_data_set(library):
    facts = library.provenance
    used = {path for paths in library.paths.values() for path in paths}
    assert facts["images"] == facts["held_out"] == len(used)
    assert facts["tasks"] == len(library) and facts["pixels"] == 64
    assert sum(about["images"] for about in facts["sources"].values()) == len(used)
    assert "produce: usual colour" in facts["by_hand"] and "birds" not in facts["by_hand"]


def test_the_seed_chooses_images(library):
    first, again, other = (load("smoke", seed) for seed in (0, 0, 1))
    assert [t.fingerprint for t in first] == [t.fingerprint for t in again]
    assert [t.name for t in first] == [t.name for t in other]
    assert {t.fingerprint for t in first} != {t.fingerprint for t in other}
    assert all(len(task) <= 80 for task in first)


@pytest.mark.parametrize("seed", range(3))
def test_few_images_are_not_all_in_one_fold(index, seed):
    rows = [row for row in index if row["part"] == TASKS]
    for entry in shards.table("tasks"):
        plan = draw(make_plan(entry, rows), 80, seed)
        for name, of_class in plan.members.items():
            assert len({row["fold"] for row in of_class}) > 1, (plan.name, name)


def test_training_tasks_are_broad_and_narrow():
    tasks = training_tasks("laptop", 0)
    size = {task.name: len(task) for task in tasks}
    assert 16 <= len(tasks) <= 22
    assert size["a third of all garments"] == round(size["all garments"] / 3)
    for task in tasks:
        assert torch.bincount(task.labels, minlength=task.num_classes).min() > 1, task.name
    assert sum(task.lineage[0] in LIFE for task in tasks) >= 6


def test_names_of_attributes_are_compared_below_their_own_root(library):
    fruit = next(task for task in training_tasks("laptop", 0) if task.name == "fruit")
    expert = Expert("fruit", None, classes=fruit.classes, lineage=fruit.lineage)
    task = {task.name: task for task in library}
    assert "orange" in fruit.classes and "orange" in task["juice: fruit"].classes
    assert _overlap(task["citrus fruit"], expert) and not _overlap(task["juice: fruit"], expert)
    garments = Expert("all", None, classes=("shirt", "hat"), lineage=("garments",))
    assert _overlap(task["hats and shoes"], garments)


def test_it_loads_without_caltech(tmp_path, monkeypatch, library):
    monkeypatch.setitem(SIZES, "laptop", replace(SIZES["laptop"], images=80, training_images=80))
    for path in shards.FOLDER.iterdir():
        if path.is_file() and not path.name.startswith("caltech101"):
            (tmp_path / path.name).symlink_to(path)
    part = load("laptop", 0, tmp_path)
    names = {row["name"] for row in shards.table("tasks") if row["source"] != "caltech101"}
    assert {task.name for task in part} == names and 40 < len(part) < len(library)
    # what is left does not depend on it
    paths = {name: set(library.paths[name]) for name in names}
    assert all(set(part.paths[name]) <= paths[name] for name in names)
    experts = {task.name for task in training_tasks("laptop", 0, tmp_path)}
    assert "all plants" in experts and "all animals" not in experts


def test_missing_and_damaged_shards_are_named(tmp_path):
    with pytest.raises(FileError, match="no images of the open zoo"):
        load("smoke", 0, tmp_path)
    for path in shards.FOLDER.glob("trashnet*"):
        end = -100 if path.suffix == ".zip" else None
        (tmp_path / path.name).write_bytes(path.read_bytes()[:end])
    with pytest.raises(FileError, match=r"trashnet\.zip: missing or damaged"):
        load("smoke", 0, tmp_path)
