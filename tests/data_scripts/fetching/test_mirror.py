"""Mirrors: folders and servers that hold a set made small, and what can be wrong with them."""

from __future__ import annotations

import csv

import pytest

from data_scripts import fetch
from t2v.errors import FileError
from tests.data_scripts.fetching.archives import (
    FAST,
    IMAGES,
    TAR,
    check_whole,
    left_behind,
    write_mirror,
)


def test_mirror_folder(mirror, web, tmp_path):
    folder, done = fetch.fetch("demo", tmp_path / "to", str(mirror))
    about = check_whole(folder)
    assert done and about["what_was_changed"] == "made small" and about["origin"] == "mirror"
    assert not web.log and {p.name for p in (tmp_path / "to").iterdir()} == {"demo"}
    assert fetch.fetch("demo", tmp_path / "to", str(mirror)) == (folder, False)
    # the publisher's own is another set
    assert fetch.fetch("demo", tmp_path / "to", **FAST)[1]


def test_mirror_by_http(mirror, web, tmp_path):
    web.files = {p.name: p.read_bytes() for p in mirror.iterdir()}
    web.cuts = [None, 6000]
    folder, _ = fetch.fetch("demo", tmp_path / "to", web.url, **FAST)
    check_whole(folder)
    assert ("/demo_16px.tar", "bytes=6000-") in web.log


def test_mirror_with_attributes(mirror, tmp_path, publish):
    publish(TAR, table=("", ""))
    rows = "".join(f"{name},{i}\n" for i, name in enumerate(IMAGES))
    (mirror / "demo_16px.csv").write_text("path,colour\n" + rows)
    folder, _ = fetch.fetch("demo", tmp_path / "to", str(mirror))
    with (folder / "index.csv").open(newline="") as file:
        colours = {row["path"]: row["colour"] for row in csv.DictReader(file)}
    assert colours == {f"images/{name}": str(i) for i, name in enumerate(IMAGES)}
    (mirror / "demo_16px.csv").write_text("path,colour\nant/0.jpg,1\n")
    with pytest.raises(FileError, match=r"demo_16px\.csv: no row for ant/1\.jpg"):
        fetch.fetch("demo", tmp_path / "again", str(mirror))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda m: (m / "demo_16px.tar").write_bytes(TAR[:9000]), "sha256 .* truncated or changed"),
        (lambda m: (m / "demo_16px.tar").unlink(), "no such file; is .* a mirror folder"),
        (lambda m: (m / "demo_16px.manifest.json").unlink(), "no such file"),
        (lambda m: (m / "demo_16px.manifest.json").write_text("{"), "not a manifest"),
        (lambda m: (m / "demo_16px.manifest.json").write_text("{}"), "not a manifest"),
        (lambda m: write_mirror(m, TAR, 9), "8 images where its manifest says 9"),
    ],
)
def test_bad_mirror(mirror, tmp_path, harm, message):
    harm(mirror)
    with pytest.raises(FileError, match=message):
        fetch.fetch("demo", tmp_path / "to", str(mirror))
    assert not left_behind(tmp_path / "to")


def test_failure_leaves_the_old_set(web, publish, tmp_path):
    publish(TAR)
    folder, _ = fetch.fetch("demo", tmp_path, **FAST)
    write_mirror(tmp_path, TAR[:9000], 8)
    with pytest.raises(FileError):
        fetch.fetch("demo", tmp_path, str(tmp_path))
    check_whole(folder)
