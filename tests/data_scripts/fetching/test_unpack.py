"""Unpacking: broken and malicious archives, labels, a full disk."""

from __future__ import annotations

import csv
import errno
import io
import resource
import tarfile
import zipfile

import pytest

from data_scripts import fetch
from data_scripts.photographs import unpack
from t2v.errors import FileError
from tests.data_scripts.fetching.archives import (
    FAST,
    IMAGES,
    TAR,
    check_whole,
    jpeg,
    left_behind,
    tar_of,
    write_mirror,
    zip_of,
)


@pytest.mark.parametrize("kind", ["tar", "tgz", "zip"])
@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_truncated_archive(web, publish, tmp_path, kind, keep):
    whole = {"tar": tar_of(IMAGES), "tgz": tar_of(IMAGES, "w:gz"), "zip": zip_of(IMAGES)}[kind]
    # the last bytes of a tar are padding: cut within the images
    used = whole.rstrip(b"\0") if kind == "tar" else whole
    publish(used[: int(keep * len(used))], name=f"demo.{kind}", md5=None)
    with pytest.raises(FileError, match="truncated"):
        fetch.fetch("demo", tmp_path, **FAST)
    assert not left_behind(tmp_path), "a broken archive must not be met again by the next run"


def test_tar_cut_between_two_members(web, publish, tmp_path):
    # a valid tar with fewer members: only the count can tell
    publish(tar_of(dict(list(IMAGES.items())[:5])), md5=None)
    with pytest.raises(FileError, match="5 images where 8 were expected"):
        fetch.fetch("demo", tmp_path, **FAST)
    assert not left_behind(tmp_path)


@pytest.mark.parametrize("make", [tar_of, zip_of])
@pytest.mark.parametrize(
    "name", ["../ant/0.jpg", "/ant/0.jpg", "ant/../../0.jpg", "ant\\..\\..\\0.jpg", "C:/0.jpg"]
)
def test_path_traversal_is_refused(web, publish, tmp_path, make, name):
    publish(make({**IMAGES, name: b"evil"}), images=None)
    with pytest.raises(FileError, match="would be written outside; archive refused"):
        fetch.fetch("demo", tmp_path / "to", **FAST)
    assert not left_behind(tmp_path)


def test_links_and_devices_are_refused(web, publish, tmp_path):
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as box:
            info = tarfile.TarInfo("ant/0.jpg")
            info.type, info.linkname = kind, "/etc/passwd"
            box.addfile(info)
        publish(file.getvalue())
        with pytest.raises(FileError, match="link or device; refused"):
            fetch.fetch("demo", tmp_path, **FAST)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as box:
        info = zipfile.ZipInfo("ant/0.jpg")
        info.external_attr = 0o120777 << 16
        box.writestr(info, "/etc/passwd")
    publish(file.getvalue())
    with pytest.raises(FileError, match="is a link; refused"):
        fetch.fetch("demo", tmp_path, **FAST)
    assert not left_behind(tmp_path)


def test_two_images_of_one_name(web, publish, tmp_path):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as box:
        for _ in range(2):
            info = tarfile.TarInfo("ant/0.jpg")
            info.size = 4
            box.addfile(info, io.BytesIO(b"1234"))
    publish(file.getvalue(), images=2)
    with pytest.raises(FileError, match=r"two images would become images/ant/0\.jpg"):
        fetch.fetch("demo", tmp_path, **FAST)


def test_not_the_archive_expected(web, publish, tmp_path):
    publish(b"<html>please log in</html>", md5=None)
    with pytest.raises(FileError, match="truncated or no archive"):
        fetch.fetch("demo", tmp_path, **FAST)
    publish(tar_of({"readme.txt": b"moved"}), md5=None)
    with pytest.raises(FileError, match="no image found"):
        fetch.fetch("demo", tmp_path, **FAST)


def test_archive_inside_an_archive_and_labels(web, publish, tmp_path):
    inner = tar_of({f"deep/{name}": content for name, content in IMAGES.items()}, "w:gz")
    publish(
        zip_of({"set/images.tar.gz": inner, "set/notes.txt": b"."}),
        name="demo.zip",
        inner=r"set/images\.tar\.gz",
        pattern=r"deep/(?P<label>[^/]+)/(?P<file>[^/]+\.jpg)",
        labels=lambda label: None if label == "bee" else "Formicidae",
        images=4,
    )
    folder, _ = fetch.fetch("demo", tmp_path, **FAST)
    check_whole(
        folder, {n.replace("ant", "Formicidae"): c for n, c in IMAGES.items() if "ant" in n}
    )


def test_labels_cannot_leave_the_folder(web, publish, tmp_path):
    publish(
        zip_of({"images/0.jpg": jpeg(0), "styles.csv": b"id,kind\n0,../../up\n"}),
        name="demo.zip",
        table=(r"styles\.csv", "id"),
        pattern=r"images/(?P<file>\d+\.jpg)",
        images=None,
    )
    folder, _ = fetch.fetch("demo", tmp_path / "to", **FAST)
    (image,) = (p for p in tmp_path.rglob("*.jpg"))
    assert image.parent.parent == folder / "images" and not image.parent.name.startswith(".")


def test_labels_from_a_table(web, publish, tmp_path):
    table = "id,kind,title\n0,T-Shirt,plain\n1,Hat,red, with a comma\n2,Skip,\n"
    members = {f"top/images/{i}.jpg": jpeg(i) for i in range(4)}
    publish(
        zip_of({**members, "top/styles.csv": table.encode()}),
        name="demo.zip",
        table=(r"top/styles\.csv", "id"),
        pattern=r"top/images/(?P<file>\d+\.jpg)",
        labels=lambda label: None if label == "Skip" else label,
        images=None,
    )
    folder, _ = fetch.fetch("demo", tmp_path, **FAST)
    # a label left out and an image without a row are dropped
    check_whole(folder, {"T_Shirt/0.jpg": jpeg(0), "Hat/1.jpg": jpeg(1)})
    with (folder / "index.csv").open(newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert rows["images/Hat/1.jpg"]["title"] == "red"
    assert rows["images/T_Shirt/0.jpg"]["kind"] == "T-Shirt"


def test_disk_full_while_unpacking(web, publish, tmp_path):
    # the system's own limit on a file's size, between the small images and the large one
    publish(TAR)
    big = {**IMAGES, "bee/big.jpg": b"\0" * 300_000}
    (tmp_path / "mirror").mkdir()
    write_mirror(tmp_path / "mirror", tar_of(big), len(big))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(FileError, match="demo: .*; nothing was kept"):
            fetch.fetch("demo", tmp_path / "to", str(tmp_path / "mirror"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not left_behind(tmp_path / "to")


def test_disk_full_says_so(publish, tmp_path, monkeypatch):
    publish(TAR)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(unpack, "copy", full)
    with pytest.raises(FileError, match="demo: the disk is full; nothing was kept"):
        fetch.fetch("demo", tmp_path, **FAST)
    assert not left_behind(tmp_path)
