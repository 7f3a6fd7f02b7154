"""Small archives, and what must be there once they were fetched."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

FAST = {"pause": 0.0, "timeout": 5.0}


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
