"""Images of tasks: which are chosen, which may be shown, and that packing keeps them."""

import base64
import csv
import io

import numpy as np
import pytest
import torch
from PIL import Image

from t2v.book.sprites import four_images, images_and_credits, pack
from t2v.errors import InputError
from t2v.libraries import Library, join, load_library
from t2v.libraries.open_zoo.shards import FOLDER
from t2v.task import Task


def colour_task(classes: int, of_each: int, size: int = 8, name: str = "greys") -> Task:
    """Class k has images of grey level 20 k; the first image of every class is held out."""
    labels = torch.arange(classes).repeat(of_each)
    images = (20 * labels).to(torch.uint8)[:, None, None, None].expand(-1, 3, size, size)
    test = torch.arange(len(labels)) < classes
    names = [f"grey {20 * k}" for k in range(classes)]
    return Task(name, images.contiguous(), labels, names, test=test)


def sheet_of(sprite) -> np.ndarray:
    content = base64.b64decode(sprite.address.removeprefix("data:image/webp;base64,"))
    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.mark.parametrize(
    "classes, expected", [(2, [0, 1, 0, 1]), (3, [0, 1, 2, 0]), (7, [0, 1, 2, 3])]
)
def test_four_images_are_of_as_many_classes_as_possible(classes, expected):
    images = four_images(colour_task(classes, 3))
    assert [name for name, _ in images] == [f"grey {20 * k}" for k in expected]
    assert [int(image.mean()) for _, image in images] == [20 * k for k in expected]


def test_held_out_images_are_not_shown():
    task = colour_task(2, 2)  # one image of each class is left for training
    assert len(four_images(task)) == 2


def test_each_tile_is_where_its_number_says_and_is_stored_once():
    levels = {0: (0, 60, 120), 4: (60, 240, 0)}
    strips = {
        task: [(f"{level}", np.full((3, 8, 8), level, np.uint8)) for level in of_task]
        for task, of_task in levels.items()
    }
    sprite = pack(strips, pixels=16)
    sheet = sheet_of(sprite)
    assert sheet.shape == (2 * 16, 2 * 16, 3)  # four images, of which two are shown twice
    for task, of_task in levels.items():
        for level, (caption, number) in zip(of_task, sprite.tiles[task], strict=True):
            row, column = divmod(number, sprite.columns)
            tile = sheet[16 * row : 16 * (row + 1), 16 * column : 16 * (column + 1)]
            assert caption == f"{level}"
            assert abs(tile[4:12, 4:12].mean() - level) < 6  # WebP smooths across edges of tiles


def test_a_task_is_shown_by_its_least_common_image():
    common = np.zeros((3, 4, 4), np.uint8)
    strips = {i: [("common", common), ("own", common + i + 1)] for i in range(3)}
    sprite = pack(strips)
    assert [sprite.faces[i] for i in range(3)] == [sprite.tiles[i][1][1] for i in range(3)]


def test_an_oblong_image_is_cropped_around_its_middle():
    image = np.zeros((3, 8, 24), np.uint8)
    image[:, :, 8:16] = 200
    assert sheet_of(pack({0: [("middle", image)]}, pixels=8)).min() > 150


@pytest.mark.parametrize("image", [np.zeros((3, 4, 4)), np.zeros((4, 4, 3), np.uint8)])
def test_what_is_no_image_is_refused_with_its_caption(image):
    with pytest.raises(InputError, match="'wrong' of task 7: expected uint8"):
        pack({7: [("wrong", image)]})


def test_only_images_that_the_publisher_allows_are_shown_and_each_names_its_publisher():
    def part(name, **provenance):
        tasks = [colour_task(2, 2, name=f"{name}/{i}") for i in range(2)]
        return Library(name, tasks, {}, {"licence": "CC0", "tasks": 2, **provenance})

    closed = part("a", credit="A", page="https://a.org", pictures_allowed=["a/1"])
    joint = join("both", [closed, part("b")])
    strips, credits, links = images_and_credits(joint, ["a", "a", "b", "b"])
    assert sorted(strips) == [1, 2, 3]
    assert credits == ["A (CC0)"] * 2 + ["Drawn by this project (CC0)"] * 2
    assert links == ["https://a.org"] * 2 + [""] * 2
    assert sorted(images_and_credits(closed, ["a", "a"])[0]) == [1]


def test_tasks_of_the_open_zoo_name_the_data_set_of_their_images():
    library = load_library("open", "smoke")
    data_sets = [library.paths[task.name][0].split("/")[0] for task in library.tasks]
    strips, credits, links = images_and_credits(library, data_sets)
    assert len(strips) == len(library.tasks)
    for data_set, credit, link in zip(data_sets, credits, links, strict=True):
        about = library.provenance["sources"][data_set]
        assert about["credit"] in credit and about["licence"].split(", http")[0] in credit
        assert link == f"../book/photographs.html#{data_set}"


def test_photographers_of_the_four_images_are_named():
    library = load_library("open", "smoke")
    position = [task.name for task in library.tasks].index("five flowers")
    data_sets = [library.paths[task.name][0].split("/")[0] for task in library.tasks]
    credit = images_and_credits(library, data_sets)[1][position]
    images = [image for _, image in four_images(library.tasks[position])]
    with (FOLDER / "flowers.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    photographer = {f"flowers/{row['path']}": row["photographer"] for row in rows}
    for image in images:
        paths = [
            path
            for path, other in zip(
                library.paths["five flowers"], library.tasks[position].images, strict=True
            )
            if np.array_equal(image, other)
        ]
        assert photographer[paths[0]] in credit
