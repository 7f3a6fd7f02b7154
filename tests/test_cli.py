"""The command line as a user meets it: a fresh process, its output, its exit code."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from t2v import Embedding


def t2v(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "t2v", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for task in ("pets", "cars"):
        for k, name in enumerate(("one", "two")):
            (root / task / name).mkdir(parents=True)
            for i in range(8):
                pixels = rng.integers(0, 120, (50, 50, 3)) + 100 * k
                Image.fromarray(pixels.astype(np.uint8)).save(root / task / name / f"{i}.png")
    for task in ("pets", "cars"):
        done = t2v("embed", task, "--probe", "synthetic", "--device", "cpu", cwd=root)
        assert done.returncode == 0, done.stderr
    return root


def test_embed_writes_an_embedding_and_says_so(folder):
    embedding = Embedding.load(folder / "pets.safetensors")
    assert (embedding.name, embedding.spec["images"]) == ("pets", 16)
    done = t2v(
        "embed", "pets", "-o", "few.safetensors", "--probe", "synthetic", "--max-images", 6,
        cwd=folder,
    )  # fmt: skip
    assert "few.safetensors: 6 images, 2 classes" in done.stdout


def test_distances_as_table_json_and_picture(folder):
    files = ("pets.safetensors", "cars.safetensors")
    table = t2v("distances", *files, cwd=folder)
    assert "pets" in table.stdout and "0.000" in table.stdout
    done = t2v("distances", *files, "--json", "--plot", "d.png", cwd=folder)
    answer = json.loads(done.stdout)
    assert answer["tasks"] == ["pets", "cars"]
    matrix = np.array(answer["distances"])
    assert matrix[0, 1] == matrix[1, 0] > 0
    assert Image.open(folder / "d.png").size[0] > 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("embed", "nowhere"), "nowhere"),
        (("embed", "pets/one", "--probe", "synthetic"), "one"),
        (("embed", "pets", "--probe", "resnet19"), "unknown probe 'resnet19'"),
        (("embed", "pets", "--probe", "synthetic", "-o", "no/where.safetensors"), "no/where"),
        (("embed", "pets", "--probe", "synthetic", "--estimator", "best"), "estimator"),
        (("distances", "pets.safetensors"), "at least two"),
        (("distances", "pets.safetensors", "pets/one/0.png"), "0.png"),
        (("distances", "pets.safetensors", "cars.safetensors", "--kind", "x"), "kind"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(folder, arguments, message):
    before = sorted(folder.rglob("*"))
    if arguments[0] == "embed" and "--probe" not in arguments:
        arguments = (*arguments, "--probe", "synthetic")
    done = t2v(*arguments, cwd=folder)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert sorted(folder.rglob("*")) == before
