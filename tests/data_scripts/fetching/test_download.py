"""Downloading: cut connections, other versions, servers of all kinds, a full disk."""

from __future__ import annotations

import errno
import hashlib
import io
from pathlib import Path

import pytest

from data_scripts import fetch
from data_scripts.photographs import sources
from data_scripts.photographs.sources import Archive, Source
from t2v.errors import FileError
from tests.data_scripts.fetching.archives import (
    FAST,
    IMAGES,
    TAR,
    check_whole,
    jpeg,
    left_behind,
    tar_of,
)


def test_fetch_and_rerun_is_a_no_op(web, publish, tmp_path):
    publish(TAR)
    folder, done = fetch.fetch("demo", tmp_path, **FAST)
    about = check_whole(folder)
    assert done and about["archives"][0]["sha256"] == hashlib.sha256(TAR).hexdigest()
    assert {p.name for p in tmp_path.iterdir()} == {"demo"}
    asked, when = len(web.log), folder.stat().st_mtime_ns
    assert fetch.fetch("demo", tmp_path) == (folder, False)
    assert len(web.log) == asked and folder.stat().st_mtime_ns == when


def test_damaged_set_is_fetched_anew(web, publish, tmp_path):
    publish(TAR)
    folder, _ = fetch.fetch("demo", tmp_path, **FAST)
    (folder / "images/ant/1.jpg").write_bytes(b"half")
    assert fetch.fetch("demo", tmp_path, **FAST)[1]
    check_whole(folder)
    assert {p.name for p in tmp_path.iterdir()} == {"demo"}


@pytest.mark.parametrize("checksum", [True, None])
def test_cut_connections_are_resumed(web, publish, tmp_path, checksum):
    publish(TAR, md5=checksum)
    web.cuts = [5000, 0, 7000]
    folder, _ = fetch.fetch("demo", tmp_path, **FAST)
    check_whole(folder)
    assert [wanted for _, wanted in web.log] == [
        None,
        "bytes=5000-",
        "bytes=5000-",
        "bytes=12000-",
    ]


def test_next_run_goes_on_where_the_last_gave_up(web, publish, tmp_path):
    publish(TAR)
    web.cuts = [4000, 0, 0]
    with pytest.raises(FileError, match="after 4,000 bytes; run the same command again"):
        fetch.fetch("demo", tmp_path, attempts=3, **FAST)
    # what can be resumed is kept, and nothing that could be taken for the set
    assert left_behind(tmp_path) == {
        ".download/demo/demo.tar.part",
        ".download/demo/demo.tar.part.version",
    }
    web.log.clear()
    check_whole(fetch.fetch("demo", tmp_path, **FAST)[0])
    assert web.log == [("/demo.tar", "bytes=4000-")]
    assert not (tmp_path / ".download").exists()


def test_halves_of_two_versions_are_not_joined(web, publish, tmp_path):
    other = tar_of({name: jpeg(99) for name in IMAGES})
    assert len(other) == len(TAR)
    publish(TAR, md5=None)
    web.cuts = [5000]
    web.on_request = lambda count: web.files.update({"demo.tar": other}) if count == 2 else None
    folder, _ = fetch.fetch("demo", tmp_path, **FAST)
    check_whole(folder, dict.fromkeys(IMAGES, jpeg(99)))


def test_server_without_ranges_or_versions(web, publish, tmp_path):
    publish(TAR)
    web.ranges, web.cuts = False, [5000]
    check_whole(fetch.fetch("demo", tmp_path / "a", **FAST)[0])
    # no mark of the version and no checksum: begin again rather than trust the first half
    publish(TAR, md5=None)
    web.ranges, web.marks, web.cuts = True, False, [5000]
    web.log.clear()
    check_whole(fetch.fetch("demo", tmp_path / "b", **FAST)[0])
    assert [wanted for _, wanted in web.log] == [None, None]


def test_part_that_is_already_whole(web, publish, tmp_path):
    publish(TAR)
    part = tmp_path / ".download/demo/demo.tar.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(TAR)
    check_whole(fetch.fetch("demo", tmp_path, **FAST)[0])
    assert web.log == [("/demo.tar", f"bytes={len(TAR)}-")]


def test_refused_by_the_server(web, publish, tmp_path):
    publish(TAR)
    web.files.clear()
    with pytest.raises(FileError, match=r"demo\.tar: the server answers 404"):
        fetch.fetch("demo", tmp_path, **FAST)
    assert len(web.log) == 1 and not left_behind(tmp_path)


def test_nobody_listens(publish, web, tmp_path, monkeypatch):
    publish(TAR)
    monkeypatch.setitem(
        sources.SOURCES,
        "demo",
        Source(*("", "", "", "", ""), (Archive("http://127.0.0.1:9/x", "x", None, ""),), "demo"),
    )
    with pytest.raises(FileError, match="ConnectionError after 0 bytes"):
        fetch.fetch("demo", tmp_path, attempts=2, **FAST)


def test_wrong_checksum(web, publish, tmp_path):
    publish(TAR, md5="md5:" + "0" * 32)
    with pytest.raises(FileError, match=r"demo\.tar: .*hash of downloaded file.*does not match"):
        fetch.fetch("demo", tmp_path, **FAST)
    assert not left_behind(tmp_path)


def test_disk_full_while_downloading(web, publish, tmp_path, monkeypatch):
    publish(TAR)
    room = 3000

    def write(self, data):
        if self.tell() + len(data) > room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return io.BufferedWriter.write(self, data)

    real_open = Path.open

    def limited_open(path, mode="r", *rest, **options):
        if path.suffix == ".part":
            return type("Full", (io.BufferedWriter,), {"write": write})(io.FileIO(path, mode))
        return real_open(path, mode, *rest, **options)

    monkeypatch.setattr(Path, "open", limited_open)
    with pytest.raises(FileError, match="No space left on device; nothing was kept"):
        fetch.fetch("demo", tmp_path, **FAST)
    assert not left_behind(tmp_path)
