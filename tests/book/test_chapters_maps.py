"""The parts of the map chapters that can be wrong without a run: pages, images, provenance."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from t2v.book.linked_maps import four_images, linked_maps
from t2v.book.provenance import inputs_of
from t2v.errors import InputError
from t2v.libraries import Library
from t2v.task import Task

STATIC = Path(__file__).resolve().parents[2] / "book" / "_static"
NAMES = ["one </script>", "two", "three", "four", "five"]
GROUPS = ["a", "a", "b", "b", "b"]
STYLES = {"a": ("#0072b2", "o"), "b": ("#e69f00", "s")}


def colour_task(classes: int, of_each: int, size: int = 8) -> Task:
    """Class k has images of grey level 20 k; the first image of every class is held out."""
    labels = torch.arange(classes).repeat(of_each)
    images = (20 * labels).to(torch.uint8)[:, None, None, None].expand(-1, 3, size, size)
    test = torch.arange(len(labels)) < classes
    names = [f"grey {20 * k}" for k in range(classes)]
    return Task("greys", images.contiguous(), labels, names, test=test)


def data_of(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', page)[1])


@pytest.fixture
def page() -> str:
    points = np.random.default_rng(0).normal(size=(5, 2))
    distance = np.abs(np.arange(5)[:, None] - np.arange(5)[None])
    return linked_maps(
        {"Task embedding": points, "Domain embedding": -points},
        NAMES,
        GROUPS,
        STYLES,
        {"Task embedding": distance},
        images={1: four_images(colour_task(3, 3))},
    )


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


def test_page_loads_its_scripts_from_beside_it_and_nothing_else(page):
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert loaded == [f"../_static/{name}" for name in ("maps.css", "plotly.min.js", "maps.js")]
    assert not re.search(r"https?://", page)
    for name in ("maps.css", "maps.js"):
        assert not re.search(r"//\w+\.|@import|\bimport\b|fetch\(", (STATIC / name).read_text())


def test_script_finds_the_parts_of_the_page(page):
    script = (STATIC / "maps.js").read_text()
    wanted = set(re.findall(r'part\("(\w+)"\)', script))
    assert wanted and wanted <= set(re.findall(r'class="(\w+)"', page))
    assert set(re.findall(r"\bdata\.(\w+)", script)) <= set(data_of(page))


def test_names_cannot_end_the_script(page):
    assert data_of(page)["names"] == NAMES
    assert page.count("</script>") == 3  # the data, plotly's and the page's own


def test_three_nearest_are_those_of_the_matrix(page):
    nearest = data_of(page)["nearest"]["Task embedding"]
    assert [sorted(j for j, _ in row) for row in nearest] == [
        [1, 2, 3], [0, 2, 3], [0, 1, 3], [1, 2, 4], [1, 2, 3],
    ]  # fmt: skip
    assert nearest[4] == [[3, 1.0], [2, 2.0], [1, 3.0]]


def test_images_can_be_read_and_are_stored_once(page):
    data = data_of(page)
    assert list(data["images"]) == ["1"]
    assert [caption for caption, _ in data["images"]["1"]] == [
        "grey 0",
        "grey 20",
        "grey 40",
        "grey 0",
    ]
    assert len(data["pool"]) == 3  # the fourth has the content of the first
    for (_, number), grey in zip(data["images"]["1"], (0, 20, 40, 0), strict=True):
        content = base64.b64decode(data["pool"][number].removeprefix("data:image/jpeg;base64,"))
        pixels = np.asarray(Image.open(io.BytesIO(content)))
        assert pixels.shape == (8, 8, 3)
        assert abs(pixels.mean() - grey) < 3  # JPEG


def test_panels_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"expected \[5, 2\]"):
        linked_maps({"map": np.zeros((4, 2))}, NAMES, GROUPS, STYLES, {})


class Weights:
    name, sha256 = "resnet18", "ab" * 32


def test_inputs_are_the_archives_and_the_weights_with_their_licence(tmp_path, monkeypatch):
    manifest = {"resnet18": {"licence": "for research", "note": "quantised"}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setenv("T2V_WEIGHTS", str(tmp_path))
    part = {"title": "Birds", "licence": "ask", "archives": [{"file": "b.tar", "sha256": "cd"}]}
    for provenance in (part, {"birds": part}):
        birds, weights = inputs_of(Library("birds", [], {}, provenance), Weights())
        assert birds == {"name": "b.tar", "sha256": "cd", "licence": "ask"}
        assert weights == {
            "name": "weights of resnet18",
            "sha256": "ab" * 32,
            "licence": "for research",
            "note": "quantised",
        }


def test_drawn_libraries_have_no_archives(monkeypatch):
    monkeypatch.delenv("T2V_WEIGHTS", raising=False)
    drawn = Library("synthetic", [], {}, {"wardrobe": {"licence": "CC BY 4.0"}})
    [weights] = inputs_of(drawn, Weights())
    assert weights["licence"]
