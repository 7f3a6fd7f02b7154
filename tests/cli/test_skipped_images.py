"""One broken file among many stops no command: it is named, and the others are used.

How the labels of the others stay theirs is also tested on tasks, in `tests/method/test_task.py`.
"""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from t2v import Embedding, load_probe, task2vec
from t2v.cli.app import app
from t2v.task import Task

COUNTS = {"dark": 40, "pale": 45, "red": 50}
BAD = ("pale", 17)


def pixels():
    """The usable images `[N, 3, 48, 48]` and their labels, in the order of the files."""
    rng = np.random.default_rng(0)
    images, labels = [], []
    for k, (name, count) in enumerate(COUNTS.items()):
        for i in range(count):
            image = rng.integers(0, 120, (48, 48, 3)) + np.array([30, 100, (130, 0, 0)][k])
            if (name, i) != BAD:
                images.append(image.astype(np.uint8))
                labels.append(k)
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2), torch.tensor(labels)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the images above as PNG, and a truncated one in its place."""
    root = tmp_path_factory.mktemp("images")
    usable = iter(pixels()[0].permute(0, 2, 3, 1).numpy())
    for name, count in COUNTS.items():
        (root / "mine" / name).mkdir(parents=True)
        for i in range(count):
            path = root / "mine" / name / f"{i:02d}.png"
            if (name, i) == BAD:
                path.write_bytes((path.parent / "00.png").read_bytes()[:60])
            else:
                Image.fromarray(next(usable)).save(path)
    return root


def embedded(images, labels):
    task = Task("mine", images, labels, list(COUNTS))
    return task2vec(task, load_probe("synthetic", device="cpu"), seed=0)


@pytest.fixture(scope="module")
def expected():
    """The embedding of the usable images with their labels, without any file."""
    return embedded(*pixels())


def run(*arguments):
    with pytest.warns(UserWarning, match=r"1 of 135 images .*pale.17\.png"):
        done = CliRunner().invoke(app, [*map(str, arguments), "--device", "cpu"])
    assert done.exit_code == 0, (done.output, done.exception)
    return done


def check(embedding, expected):
    assert (embedding.spec["images"], embedding.spec["classes"]) == (134, 3)
    np.testing.assert_allclose(embedding.fisher, expected.fisher, rtol=1e-6)


def test_a_single_label_would_show_in_the_embedding(expected):
    images, labels = pixels()
    labels[COUNTS["dark"] + COUNTS["pale"] - 1] = 1  # the first red image as a pale one
    assert embedded(images, labels).norm > 1.01 * expected.norm


def test_embed(folder, expected, monkeypatch):
    monkeypatch.chdir(folder)
    run("embed", "mine", "--probe", "synthetic", "-o", "mine.safetensors")
    check(Embedding.load("mine.safetensors"), expected)


def test_zoo_add_and_recommend(folder, expected, monkeypatch):
    monkeypatch.chdir(folder)
    added = run("zoo", "add", "zoo", "mine", "--probe", "synthetic", "--steps", 2)
    assert "134 images, 3 classes" in added.output
    (stored,) = (folder / "zoo").rglob("embedding*.safetensors")
    check(Embedding.load(stored), expected)
    done = run("recommend", "mine", "--zoo", "zoo", "--splits", 2, "--json")
    (expert,) = json.loads(done.stdout)["experts"]
    # the same images and labels as those of the expert: nothing lies between the two tasks
    assert expert["name"] == "mine" and expert["symmetric"] == pytest.approx(0, abs=1e-9)
