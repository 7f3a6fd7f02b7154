"""Fetching, against an HTTP server on loopback that can be told to misbehave."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import re
import resource
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from data_scripts import download, fetch, sources, unpack
from data_scripts.sources import Archive, Source
from t2v.errors import FileError, InputError

FAST = {"pause": 0.0, "timeout": 5.0}


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    """Bytes read since the last full step are lost with a cut connection."""
    monkeypatch.setattr(download, "_CHUNK", 1000)


def jpeg(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (16, 16, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG")
    return file.getvalue()


def tar_of(members: dict[str, bytes], mode: str = "w") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as box:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            box.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zip_of(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as box:
        for name, content in members.items():
            box.writestr(name, content)
    return file.getvalue()


IMAGES = {f"{label}/{i}.jpg": jpeg(i) for label in ("ant", "bee") for i in range(4)}
TAR = tar_of(IMAGES)


@pytest.fixture
def web():
    """A server: `web.files` by name, `web.cuts` = bytes after which each answer breaks off."""
    state = SimpleNamespace(files={}, cuts=[], ranges=True, marks=True, log=[], on_request=None)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802, the name is the library's
            wanted = self.headers.get("Range")
            state.log.append((self.path, wanted))
            if state.on_request:
                state.on_request(len(state.log))
            body = state.files.get(self.path.lstrip("/"))
            if body is None:
                return self.send_error(404)
            mark = f'"{hashlib.sha256(body).hexdigest()[:8]}"'
            start = 0
            if state.ranges and wanted and self.headers.get("If-Range", mark) == mark:
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
                if start >= len(body):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(body)}")
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            if state.marks:
                self.send_header("ETag", mark)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            cut = state.cuts.pop(0) if state.cuts else None
            self.wfile.write(body[start:] if cut is None else body[start : start + cut])

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def publish(web, monkeypatch):
    """Make `demo` a source whose one archive is served under the name and with the hash given."""

    def make(body: bytes, name="demo.tar", md5=True, images=8, **archive):
        web.files[name] = body
        known = f"md5:{hashlib.md5(body).hexdigest()}" if md5 is True else md5
        pattern = archive.pop("pattern", r"(?P<label>[^/]+)/(?P<file>[^/]+\.jpg)")
        archives = (Archive(f"{web.url}/{name}", name, known, pattern, **archive),)
        source = Source(
            *("A demo", "http://example.org", "free", "all", "us"),
            archives=archives,
            mirror="demo_16px",
            images=images,
            label_column="kind" if archive.get("table") else None,
        )
        monkeypatch.setitem(sources.SOURCES, "demo", source)

    return make


def check_whole(folder: Path, expected=IMAGES) -> dict:
    found = {
        p.relative_to(folder / "images").as_posix(): p.read_bytes()
        for p in (folder / "images").rglob("*.jpg")
    }
    assert found == expected
    with (folder / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["path"]: int(row["bytes"]) for row in rows} == {
        f"images/{name}": len(content) for name, content in expected.items()
    }
    assert all(row["path"].split("/")[1] == row["label"] for row in rows)
    return json.loads((folder / "source.json").read_text())


def left_behind(to: Path) -> set[str]:
    return {p.relative_to(to).as_posix() for p in to.rglob("*") if p.is_file()}


# ---- downloading


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


# ---- unpacking


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
    "name", ["../ant/0.jpg", "/tmp/ant/0.jpg", "ant/../../0.jpg", "ant\\..\\..\\0.jpg", "C:/0.jpg"]
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


# ---- disk


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


def test_failure_leaves_the_old_set(web, publish, tmp_path):
    publish(TAR)
    folder, _ = fetch.fetch("demo", tmp_path, **FAST)
    write_mirror(tmp_path, TAR[:9000], 8)
    with pytest.raises(FileError):
        fetch.fetch("demo", tmp_path, str(tmp_path))
    check_whole(folder)


# ---- mirrors


def write_mirror(folder: Path, tar: bytes, images: int, **manifest) -> None:
    (folder / "demo_16px.tar").write_bytes(tar)
    about = {
        "archive": "demo_16px.tar",
        "sha256": hashlib.sha256(tar).hexdigest(),
        "images": images,
        "what_was_changed": "made small",
        "source_repo": "us/demo",
        **manifest,
    }
    (folder / "demo_16px.manifest.json").write_text(json.dumps(about))


@pytest.fixture
def mirror(tmp_path, publish):
    publish(TAR)
    folder = tmp_path / "mirror"
    folder.mkdir()
    write_mirror(folder, TAR, 8)
    return folder


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


# ---- the command


def run(*arguments):
    return CliRunner().invoke(fetch.app, [str(a) for a in arguments])


def test_command_prints_the_licence(mirror, tmp_path):
    result = run("demo", "--to", tmp_path / "to", "--mirror", mirror)
    assert result.exit_code == 0
    assert "8 images, 2 labels" in result.stdout and "licence: free" in result.stdout
    assert "(there already)" in run("demo", "--to", tmp_path / "to", "--mirror", mirror).stdout


def test_command_says_which_archive_could_not_be_checked(publish, web, tmp_path):
    publish(TAR, md5=None)
    assert f"no checksum is published for {web.url}" in run("demo", "--to", tmp_path).stdout


def test_command_errors_in_one_line(publish, tmp_path):
    publish(TAR)
    for arguments, message in (
        (("nothing", "--to", tmp_path), "no data set 'nothing'"),
        (("demo", "--to", tmp_path, "--mirror", tmp_path / "x"), "no such file"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2 and not result.stdout
        assert result.stderr.count("\n") == 1 and message in result.stderr


def test_unknown_name():
    with pytest.raises(InputError, match="cub, tiny_imagenet, clothing, fashion, living_things"):
        fetch.fetch("birds", Path("."))


def test_every_source_is_complete():
    """Patterns compile and have the groups that unpacking reads."""
    for source in sources.SOURCES.values():
        assert source.licence and source.credit and source.page.startswith("https://")
        for archive in source.archives:
            groups = set(re.compile(archive.images).groupindex)
            assert groups == ({"file"} if archive.table else {"file", "label"})
            assert archive.hash is None or re.fullmatch(r"md5:[0-9a-f]{32}", archive.hash)
        assert bool(source.label_column) == any(a.table for a in source.archives)


@pytest.mark.parametrize(
    ("name", "number", "member", "label"),
    [
        (
            *("cub", 0),
            "CUB_200_2011/images/001.Black_footed_Albatross/Black_Footed_Albatross_0001_796111.jpg",
            "001.Black_footed_Albatross",
        ),
        ("cub", 0, "CUB_200_2011/images/._001.Black_footed_Albatross", None),
        ("cub", 0, "CUB_200_2011/images/001.Black_footed_Albatross/._Black.jpg", None),
        (
            *("tiny_imagenet", 0),
            "tiny-imagenet-200/train/n01443537/images/n01443537_0.JPEG",
            "n01443537",
        ),
        ("tiny_imagenet", 0, "tiny-imagenet-200/val/images/val_0.JPEG", None),
        ("living_things", 0, "101_ObjectCategories/Leopards/image_0001.jpg", "Leopards"),
        ("living_things", 0, "101_ObjectCategories/accordion/image_0001.jpg", None),
        ("living_things", 1, "training/training/n3/n3000.jpg", "monkey_Macaca_fuscata"),
        ("living_things", 1, "validation/validation/n3/n300.jpg", None),
    ],
)
def test_layout_of_the_publishers_archives(name, number, member, label):
    """Member names as public code that reads these archives has them."""
    archive = sources.SOURCES[name].archives[number]
    match = re.fullmatch(archive.images, member)
    found = match and (archive.labels(match["label"]) if archive.labels else match["label"])
    assert found == label
