"""Folders and tables: which images are found, with which labels, and what the errors say."""

from __future__ import annotations

import pytest
from PIL import Image

from t2v.errors import FileError, InputError
from t2v.reading.scan import scan_folder
from t2v.reading.table import read_csv


def flat(path, colour):
    Image.new("RGB", (20, 30), colour).save(path)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pictures"
    for name in ("cat", "dog"):
        (root / name / "more").mkdir(parents=True)
        flat(root / name / "b.PNG", "red")
        flat(root / name / "more" / "a.jpg", "red")
        (root / name / "notes.txt").write_text("not a picture")
        (root / name / "._b.png").write_text("left by another system")
    return root


def test_scan_folder(folder):
    (folder / ".hidden").mkdir()
    (folder / "readme.md").touch()
    found = scan_folder(folder)
    assert found.classes == ["cat", "dog"] and found.labels == [0, 0, 1, 1]
    assert found.passed == {".txt": 2, "hidden": 2, ".md": 1}
    assert [p.relative_to(folder).as_posix() for p in found.paths] == [
        "cat/b.PNG",
        "cat/more/a.jpg",
        "dog/b.PNG",
        "dog/more/a.jpg",
    ]


def test_scan_folder_errors(folder, tmp_path):
    with pytest.raises(FileError, match="nowhere: no such folder"):
        scan_folder(tmp_path / "nowhere")
    with pytest.raises(FileError, match="not a folder"):
        scan_folder(folder / "cat" / "b.PNG")
    with pytest.raises(InputError, match="one sub-folder of images per class.*found none"):
        scan_folder(folder / "cat" / "more")
    with pytest.raises(InputError, match="found only 'more'"):
        scan_folder(folder / "cat")
    (folder / "eel").mkdir()
    with pytest.raises(InputError, match="eel: class without images"):
        scan_folder(folder)


def write(path, text, encoding="utf-8"):
    path.write_text(text, encoding=encoding)
    return path


def test_read_csv(folder):
    table = write(
        folder / "t.csv",
        "label,path,who\nold,cat/b.PNG,me\nyoung,dog/b.PNG,\nold,dog/more/a.jpg,\n",
        "utf-8-sig",
    )
    found = read_csv(table)
    assert found.classes == ["old", "young"] and found.labels == [0, 1, 0]
    assert found.paths[2] == folder / "dog" / "more" / "a.jpg"


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("path,class\ncat/b.PNG,x\n", InputError, "no column label; found: path, class"),
        ("path,label\ncat/b.PNG,x\ncat/c.PNG,y\n", FileError, r"line 3: no such image: cat/c\.PNG"),
        ("path,label\ncat/b.PNG,\n", InputError, "line 2: path or label is empty"),
        ("path,label\ncat/b.PNG\n", InputError, "line 2: path or label is empty"),
        ("path,label\ncat/b.PNG,x\n", InputError, "found only 'x'"),
        ("path,label\n", InputError, "found no row"),
        ("", InputError, "no column path or label"),
    ],
)
def test_read_csv_errors(folder, text, error, message):
    with pytest.raises(error, match=message):
        read_csv(write(folder / "t.csv", text))


def test_read_csv_not_text(folder):
    (folder / "t.csv").write_bytes(b"path,label\n\xff\xfe\x00,x\n")
    with pytest.raises(InputError, match="not a CSV table in UTF-8"):
        read_csv(folder / "t.csv")
    with pytest.raises(FileError, match="no such file"):
        read_csv(folder / "none.csv")
