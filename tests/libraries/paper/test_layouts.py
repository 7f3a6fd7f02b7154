"""Tasks of the miniatures, held against the publishers' files as plain loops read them."""

from __future__ import annotations

import csv
import json
import re
import shutil

import pytest
import torch
from PIL import Image

from data_scripts.miniature import fashion, living
from t2v.errors import FileError, InputError
from t2v.images import load_images
from t2v.libraries import PAPER, load_library
from t2v.libraries.paper import cub200, inaturalist
from t2v.libraries.photographs.plans import facts

SIDE = 48


def paths_of(task, folder, known={}):  # noqa: B006  the files are read once for all tests
    """Paths of a task's images, which its pixels tell."""
    if folder not in known:
        files = sorted(folder.rglob("*.jpg"))
        images, _ = load_images(files, SIDE)
        known[folder] = {
            bytes(image.numpy().data): path.relative_to(folder).as_posix()
            for image, path in zip(images, files, strict=True)
        }
    return [known[folder][bytes(task.images[i].numpy().data)] for i in range(len(task))]


def by_name(library):
    return {task.name.partition("/")[2]: task for task in library}


@pytest.mark.parametrize("name", PAPER)
def test_tasks_are_well_formed(libraries, name):
    tasks = libraries[name].tasks
    assert len({task.name for task in tasks}) == len(tasks) > 5
    for task in tasks:
        assert task.name.startswith(f"{name}/") and task.group and task.lineage
        image = task.images[0]
        assert image.dtype == torch.uint8 and image.shape == (3, SIDE, SIDE)
        assert torch.bincount(task.train.labels, minlength=task.num_classes).min() > 0
        assert len(task.held_out) > 0
    facts_of = libraries[name].provenance
    assert facts_of["miniature"] and facts_of["pixels"] == SIDE
    assert facts_of["tasks"] == len(tasks)


def test_inaturalist(libraries, data):
    folder = data / "inaturalist"
    categories = {c["id"]: c for c in json.loads((folder / "categories.json").read_text())}
    truth = {}
    for part in ("train", "val"):
        content = json.loads((folder / f"{part}2018.json").read_text())
        file = {image["id"]: image["file_name"] for image in content["images"]}
        for entry in content["annotations"]:
            truth[file[entry["image_id"]]] = (categories[entry["category_id"]], part == "val")
    tasks = by_name(libraries["inaturalist"])
    assert set(tasks) == {order for order, (*_, species) in living.ORDERS.items() if species > 1}
    seen = set()
    for order, task in tasks.items():
        paths = paths_of(task, folder)
        seen.update(paths)
        for path, label, test in zip(paths, task.labels.tolist(), task.test.tolist(), strict=True):
            category, held_out = truth[path]
            assert category["order"] == order and category["name"] == task.classes[label]
            assert test == held_out
        first = next(c for c in categories.values() if c["order"] == order)
        place = tuple(first[rank] for rank in ("kingdom", "phylum", "class", "order"))
        assert task.lineage == place and task.group == first["class"]
        assert all(path[:4] == place for path in task.class_lineages)
    wanted = {path for path, (category, _) in truth.items() if category["order"] in tasks}
    skipped = {entry["path"] for entry in libraries["inaturalist"].provenance["skipped"]}
    assert seen == wanted - skipped and len(skipped) == 1
    sizes = [len(task.train) for task in libraries["inaturalist"]]
    assert sizes[0] > sizes[-1]  # orders with most training images come first


def test_grey_and_cmyk_images_are_used(data):
    for name in ("inaturalist", "imaterialist"):
        modes = {Image.open(path).mode for path in (data / name).rglob("*.jpg")}
        assert modes == {"RGB", "L", "CMYK"}


def test_only_so_many_orders_as_the_paper(data, monkeypatch):
    whole = inaturalist.read(data / "inaturalist")
    monkeypatch.setattr(inaturalist, "ORDERS", 12)
    fewer = inaturalist.read(data / "inaturalist")
    assert [plan.name for plan in fewer.tasks] == [plan.name for plan in whole.tasks][:12]
    left = whole.tasks[12].lineage[-1]
    line = "13 orders have several species and the paper takes 12: the smallest, "
    assert f"{line}{left}, is left out" in fewer.notes
    assert fewer.counts["orders"] == 13


def test_cub(libraries, data):
    root = data / "cub200" / "CUB_200_2011"

    def column(name):
        return dict(line.split(" ", 1) for line in (root / name).read_text().splitlines())

    label, split, names = map(
        column, ("image_class_labels.txt", "train_test_split.txt", "classes.txt")
    )
    number = {f"CUB_200_2011/images/{file}": i for i, file in column("images.txt").items()}
    tasks = by_name(libraries["cub200"])
    assert {name: task.num_classes for name, task in tasks.items()} == living.BIRD_TASKS
    for task in tasks.values():
        for path, k, test in zip(
            paths_of(task, data / "cub200"), task.labels.tolist(), task.test.tolist(), strict=True
        ):
            i = number[path]
            assert names[label[i]][4:].replace("_", " ") == task.classes[k]
            assert test == (split[i] == "0")


def test_cub_has_the_papers_tasks(data, tmp_path):
    """With images of all 200 classes, the 25 printed tasks; sizes of test sets tell the species."""
    root = tmp_path / "cub200"
    root.mkdir()
    labels = [row["label"] for row in facts("cub")]
    images = [f"{label}/{i}.jpg" for label in labels for i in range(2)]
    texts = {
        "classes": [f"{i + 1} {label}" for i, label in enumerate(labels)],
        "images": [f"{i + 1} {image}" for i, image in enumerate(images)],
        "image_class_labels": [f"{i + 1} {i // 2 + 1}" for i in range(400)],
        "train_test_split": [f"{i + 1} {i % 2}" for i in range(400)],
    }
    for name, lines in texts.items():
        (root / f"{name}.txt").write_text("\n".join(lines))
    (root / "images").mkdir()
    tasks = {plan.lineage[-1]: len(plan.classes) for plan in cub200.read(root).tasks}
    with open("book/paper/inat_cub_test_sizes.csv", encoding="utf-8") as file:
        printed = {
            re.search(r"\] (\w+)", row["task"])[1]: int(row["n_test_images"])
            for row in csv.DictReader(file)
            if row["task"].startswith("[CUB]")
        }
    assert set(tasks) == set(printed)
    for name, species in tasks.items():
        # at most 30 test images of a species; the rarest of CUB has 11
        assert 22 <= printed[name] / species <= 30


def test_imaterialist(libraries, data):
    folder = data / "imaterialist"
    labels = {}
    for part in ("train", "validation"):
        for entry in json.loads((folder / f"{part}.json").read_text())["annotations"]:
            labels[f"{part}/{entry['imageId']}.jpg"] = set(map(int, entry["labelId"]))
    tasks = libraries["imaterialist"].tasks
    numbers = {name: (number, group) for number, _, name, group in fashion.VALUES}
    assert {task.lineage[-1] for task in tasks} == set(numbers) - {"Robes"}
    assert libraries["imaterialist"].provenance["left_out"] == ["imaterialist/Robes"]
    assert all(task.images is tasks[0].images for task in tasks)
    paths = paths_of(tasks[0], folder)
    assert set(paths) == set(labels) - {"train/3.jpg"}
    for task in tasks:
        number, group = numbers[task.lineage[-1]]
        assert task.group == group and task.classes == (f"not {task.lineage[-1]}", task.lineage[-1])
        assert task.labels.tolist() == [int(number in labels[path]) for path in paths]
        assert task.test.tolist() == [path.startswith("validation") for path in paths]


def test_deepfashion(libraries, data):
    folder = data / "deepfashion"

    def rows(name):
        lines = (folder / name).read_text().splitlines()
        assert int(lines[0]) == len(lines) - 2
        return lines[2:]

    names = [line[:60].strip() for line in rows("Anno_coarse/list_attr_cloth.txt")]
    part = {line.split()[0]: line.split()[1] for line in rows("Eval/list_eval_partition.txt")}
    has = {
        line.split()[0]: dict(zip(names, line.split()[1:], strict=True))
        for line in rows("Anno_coarse/list_attr_img.txt")
    }
    assert {"1", "-1", "0"} == {value for values in has.values() for value in values.values()}
    tasks = by_name(libraries["deepfashion"])
    assert set(tasks) == set(names) - {"abstract chevron print"}
    for name, task in tasks.items():
        paths = [path.removeprefix("Img/") for path in paths_of(task, folder)]
        assert set(paths) == {path for path, which in part.items() if which != "val"}
        assert task.labels.tolist() == [int(has[path][name] == "1") for path in paths]
        assert task.test.tolist() == [part[path] == "test" for path in paths]


EXPECTED = {
    "inaturalist": ("categories.json", "train_val2018", "train2018.json", "val2018.json"),
    "cub200": tuple(
        f"CUB_200_2011/{name}"
        for name in ("images", "images.txt", "image_class_labels.txt", "train_test_split.txt")
    ),
    "imaterialist": (
        *("iMat_fashion_2018_label_map_228.csv", "train", "validation", "train.json"),
        "validation.json",
    ),
    "deepfashion": (
        *("Img", "Anno_coarse/list_attr_cloth.txt", "Anno_coarse/list_attr_img.txt"),
        *("Anno_coarse/list_category_cloth.txt", "Anno_coarse/list_category_img.txt"),
        "Eval/list_eval_partition.txt",
    ),
}


@pytest.mark.parametrize(("name", "file"), [(n, f) for n, files in EXPECTED.items() for f in files])
def test_wrong_layout_names_the_file(data, tmp_path, name, file):
    folder = tmp_path / name
    folder.mkdir()
    for path in (data / name).rglob("*"):
        if path.suffix in (".json", ".txt", ".csv"):
            (folder / path.relative_to(data / name)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / path.relative_to(data / name))
    for place in ("train_val2018", "CUB_200_2011/images", "train", "validation", "Img/img"):
        if (data / name / place).is_dir():
            (folder / place).mkdir(parents=True, exist_ok=True)
    lost = folder / file
    shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    with pytest.raises(FileError, match=rf"{re.escape(str(lost))}.*expected here") as caught:
        load_library(name, "paper", data=tmp_path)
    assert "\n" not in str(caught.value)
    assert f"python -m data_scripts.fetch {name}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "file", "content", "message"),
    [
        ("inaturalist", "train2018.json", '{"images": [{"id": 1', "damaged, or no JSON"),
        ("inaturalist", "train2018.json", "{}", "lists `images` and `annotations`"),
        ("inaturalist", "val2018.json", '{"images": [{"id": 1}]}', "images with id, file_name"),
        ("inaturalist", "categories.json", '[{"id": 1}]', "expected id, name, kingdom"),
        ("cub200", "CUB_200_2011/train_test_split.txt", "1 1\n", "a line for each image"),
        ("cub200", "CUB_200_2011/images.txt", "nonsense\n", "a number and a value"),
        ("imaterialist", "train.json", '{"annotations": [{"image_id": 1}]}', "imageId, labelId"),
        ("imaterialist", "train.json", '{"images": []}', "expected a list `annotations`"),
        ("deepfashion", "Eval/list_eval_partition.txt", "3\nh\na b\n", "expected 3 rows; found 1"),
        ("deepfashion", "Anno_coarse/list_attr_cloth.txt", "1\nh\na\n", "two columns"),
        ("deepfashion", "Anno_coarse/list_attr_img.txt", "1\nh\na 1 1\n", "8 values"),
    ],
)
def test_damaged_files(data, tmp_path, name, file, content, message):
    shutil.copytree(data / name, tmp_path / name)
    (tmp_path / name / file).write_text(content)
    with pytest.raises(FileError, match=message) as caught:
        load_library(name, "paper", data=tmp_path)
    assert str(tmp_path / name / file) in str(caught.value) and "\n" not in str(caught.value)


def test_no_folder(tmp_path):
    with pytest.raises(FileError, match=r"cub200: no such folder; python -m data_scripts\.fetch"):
        load_library("cub200", data=tmp_path)
    with pytest.raises(FileError, match="none of the folders inaturalist, cub200"):
        load_library("paper", data=tmp_path)


def test_more_than_one_image_in_a_hundred_lost(data, tmp_path, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "cache"))
    shutil.copytree(data / "deepfashion", tmp_path / "deepfashion")
    for path in sorted((tmp_path / "deepfashion" / "Img").rglob("*.jpg"))[::20]:
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"images cannot be used .*empty file.*more than 1%"):
        load_library("deepfashion", "paper", data=tmp_path)


@pytest.mark.filterwarnings("ignore:cub200")
def test_differences_are_named(data, tmp_path, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "cache"))
    shutil.copytree(data / "cub200", tmp_path / "cub200")
    marker = tmp_path / "cub200" / "miniature.json"
    about = json.loads(marker.read_text())
    about["counts"]["tasks"] = 9
    marker.write_text(json.dumps(about))
    with pytest.warns(UserWarning, match="cub200: tasks: 8 here, 9 in the count of its miniature"):
        library = load_library("cub200", "smoke", data=tmp_path)
    assert any("Northern Fulmar" in line for line in library.provenance["differences"])
    marker.unlink()  # then it is held against the paper
    with pytest.warns(UserWarning, match="tasks: 8 here, 25 in the count of paper") as caught:
        load_library("cub200", "smoke", data=tmp_path)
    assert any("Parulidae: 18 here, 919" in str(warning.message) for warning in caught)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_smaller_scales(data, tmp_path, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "cache"))
    library = load_library("paper", "smoke", data=data)
    assert set(library.provenance) == set(PAPER) == set(library.taxonomy)
    assert all(len(task.train) <= 120 and len(task.held_out) <= 60 for task in library)
    for name in ("imaterialist", "deepfashion"):
        images = {id(task.images) for task in library if task.name.startswith(name)}
        assert len(images) == 1
    prints = [
        [task.fingerprint for task in load_library("imaterialist", "smoke", seed, data)]
        for seed in (0, 0, 1)
    ]
    assert prints[0] == prints[1] != prints[2]
