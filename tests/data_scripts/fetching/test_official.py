"""The paper's data sets: fetched in their publishers' layout, or said what to bring by hand."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from data_scripts import fetch
from data_scripts.miniature.living import write_inaturalist
from data_scripts.photographs import official
from data_scripts.photographs.official import OFFICIAL, File, fetch_official
from t2v.errors import FileError
from t2v.libraries import PAPER, load_library
from tests.data_scripts.fetching.archives import left_behind, tar_of


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn") / "inaturalist"
    folder.mkdir()
    write_inaturalist(folder, 3, 1)
    return folder


@pytest.fixture
def published(drawn, web, monkeypatch):
    """The archives of iNaturalist, as the publisher packs them."""
    files = []
    for name in ("train2018.json", "val2018.json", "categories.json", "train_val2018"):
        members = {
            path.relative_to(drawn).as_posix(): path.read_bytes()
            for path in [drawn / name, *(drawn / name).rglob("*")]
            if path.is_file()
        }
        web.files[f"{name}.tar.gz"] = body = tar_of(members, "w:gz")
        known = None if name == "categories.json" else f"md5:{hashlib.md5(body).hexdigest()}"
        files.append(File(f"{web.url}/{name}.tar.gz", known))
    mocked = {**OFFICIAL, "inaturalist": replace(OFFICIAL["inaturalist"], files=tuple(files))}
    monkeypatch.setattr(official, "OFFICIAL", mocked)
    monkeypatch.setattr(fetch, "OFFICIAL", mocked)
    return web


def run(*arguments):
    return CliRunner().invoke(fetch.app, [str(argument) for argument in arguments])


def test_archives_become_the_layout(published, drawn, tmp_path, monkeypatch):
    monkeypatch.setenv("T2V_CACHE", str(tmp_path / "cache"))
    answer = run("inaturalist", "--to", tmp_path / "data")
    assert answer.exit_code == 0, answer.output
    assert "non-commercial" in answer.output and "some counts differ" in answer.output
    assert "orders: 13 here, 207 in the count of paper, Sect. 5" in answer.output
    assert "no checksum is published for http" in answer.output
    folder = tmp_path / "data" / "inaturalist"
    names = [
        {path.relative_to(root) for path in root.rglob("*") if path.is_file()}
        for root in (folder, drawn)
    ]
    assert names[0] == names[1] and len(names[0]) > 100
    with pytest.warns(UserWarning, match="species of Lepidoptera: 4 here, 1,234 in the count"):
        assert len(load_library("inaturalist", "smoke", data=tmp_path / "data")) == 4
    asked = len(published.log)
    assert run("inaturalist", "--to", tmp_path / "data").exit_code == 0
    assert len(published.log) == asked  # what is there is not fetched again


def test_a_wrong_checksum_leaves_nothing(published, tmp_path):
    published.files["val2018.json.tar.gz"] += b"more"
    with pytest.raises(FileError, match=r"val2018\.json\.tar\.gz"):
        fetch_official("inaturalist", tmp_path)
    assert not (tmp_path / "inaturalist").exists()
    assert not any(".part-" in name for name in left_behind(tmp_path))


@pytest.mark.parametrize(
    ("name", "advice"),
    [("deepfashion", "sign the agreement"), ("imaterialist", "accept the rules on Kaggle")],
)
def test_what_must_be_brought_by_hand(tmp_path, name, advice):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "README").write_text("the reader has begun")
    answer = run(name, "--to", tmp_path)
    assert answer.exit_code == 2
    last = answer.stderr.strip().splitlines()[-1]
    assert last.startswith(f"error: {folder}") and advice in last and OFFICIAL[name].page in last
    assert str(folder) in last.partition("By hand")[2] and "python -m" not in last


def test_every_data_set_is_described():
    assert tuple(OFFICIAL) == PAPER
    for name, data_set in OFFICIAL.items():
        assert data_set.title and data_set.licence and data_set.page.startswith("https://")
        assert data_set.files or data_set.by_hand
        for file in data_set.files:
            assert file.hash is None or len(file.hash) == len("md5:") + 32
        texts = [line.format(folder=f"data/{name}") for line in data_set.by_hand]
        assert all(f"data/{name}" in text for text in texts)


def test_a_whole_set_is_checked_only(drawn, tmp_path):
    shutil.copytree(drawn, tmp_path / "inaturalist")
    folder, differing = fetch_official("inaturalist", tmp_path)
    assert folder == tmp_path / "inaturalist" and len(differing) > 20
