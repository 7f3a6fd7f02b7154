"""Mutated files: `python -m tests.reading.fuzz [COUNT]` reads 10,000 and stops at a traceback.

A short run of it is `test_fuzz.py`. What is read is an image, a table or a folder; the only errors
are `InputError` and `FileError`, of one line, and what is read has the form that is promised.
"""

from __future__ import annotations

import io
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from t2v._run.names import one_line
from t2v.errors import FileError, InputError
from t2v.images import load_images
from t2v.reading.scan import scan_folder
from t2v.reading.table import read_csv
from t2v.task import Task

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "ICO", "PCX", "JPEG2000")
MODES = ("RGB", "L", "P", "1", "RGBA", "LA", "CMYK", "I;16", "F")
TABLE = "path,label,scene\na.png,x,1\nb.png,y,2\nc.png,x,1\n"
NAMES = ("cat", "dog", "train", "val", "@eaDir", ".x", "[b]", "$", "Thumbs", "a\nb", "é", "x" * 200)
ENDINGS = (".png", ".JPG", ".jfif", ".heic", ".txt", "", ".tif", ".svg")


def seeds(rng: np.random.Generator) -> bytes:
    """An image in some format and mode that Pillow can write, or no image."""
    format_, mode = rng.choice(FORMATS), rng.choice(MODES)
    pixels = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
    image = Image.fromarray(pixels)
    buffer = io.BytesIO()
    try:
        if mode in ("I;16", "F"):
            grey = pixels[..., 0].astype(np.uint16 if mode == "I;16" else np.float32)
            image = Image.fromarray(grey * (100 if mode == "I;16" else 1 / 255))
        else:
            image = image.convert(str(mode))
        image.save(buffer, str(format_))
    except (OSError, ValueError, KeyError):  # no such pair
        Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def mutated(raw: bytes, rng: np.random.Generator) -> bytes:
    """The bytes with some changed, cut, doubled, put in or taken out."""
    data = bytearray(raw)
    for _ in range(rng.integers(0, 4)):
        if not data:
            break
        at, kind = int(rng.integers(len(data))), rng.integers(6)
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[at] = int(rng.choice([0, 1, 127, 128, 255]))
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at : at + int(rng.integers(1, 9))]
        elif kind == 4:
            data[at:at] = rng.bytes(int(rng.integers(1, 9)))
        else:
            data[at : at + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"])
    return bytes(data)


def image(folder: Path, rng: np.random.Generator) -> None:
    """A mutated image is read beside a good one."""
    bad, good = folder / f"a{rng.choice(ENDINGS)}", folder / "good.png"
    bad.write_bytes(mutated(seeds(rng), rng))
    Image.new("RGB", (9, 9), (99, 50, 200)).save(good)
    images, skipped = load_images([bad, good], 8, tolerance=1.0)
    assert isinstance(images, torch.Tensor) and images.dtype == torch.uint8
    assert tuple(images.shape) == (2 - len(skipped), 3, 8, 8)
    assert images[-1, :, 4, 4].tolist() == [99, 50, 200]


def table(folder: Path, rng: np.random.Generator) -> None:
    """A mutated table is read."""
    for name in "abc":
        (folder / f"{name}.png").touch()
    text = TABLE.replace(",", str(rng.choice([",", ";", "\t", "|"])))
    coded = text.encode(str(rng.choice(["utf-8"] * 4 + ["utf-8-sig", "utf-16"])))
    (folder / "t.csv").write_bytes(mutated(coded, rng))
    found = read_csv(
        folder / "t.csv",
        leave_out_missing=bool(rng.integers(2)),
        groups=[None, "scene", r"([ab])"][rng.integers(3)],
    )
    assert len(found.paths) == len(found.labels) and set(found.labels) == set(
        range(len(found.classes))
    )


def tree(folder: Path, rng: np.random.Generator) -> None:
    """A folder of odd names, links and empty files is read."""
    places = [folder]
    for name in ("cat", "dog") if rng.integers(2) else ():
        places.append(folder / name)
        places[-1].mkdir()
        for i in range(3):
            pixels = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(places[-1] / f"good{i}.png")
    for _ in range(rng.integers(2, 14)):
        parent = places[rng.integers(len(places))]
        path = parent / str(rng.choice(NAMES))
        try:
            if rng.integers(4) == 0:
                path.symlink_to(places[rng.integers(len(places))])
            else:
                path.mkdir()
                places.append(path)
        except OSError:  # the name is taken, or too long
            continue
    for i in range(rng.integers(0, 30)):
        path = places[rng.integers(len(places))] / f"{i}{rng.choice(ENDINGS)}"
        if not path.exists():
            path.write_bytes(mutated(seeds(rng), rng) if rng.integers(3) else b"")
    lenient = bool(rng.integers(2))
    found = scan_folder(folder, leave_out_empty=lenient)
    assert len(set(found.paths)) == len(found.paths)
    lines: list[str] = []
    task = Task.from_folder(folder, 8, skip_bad=lenient, tell=lines.append)
    assert len(task) <= len(found.paths) and len(lines) == 1


READERS = (image, image, image, table, tree)


def one(seed: int) -> str:
    """What came of one input: read, or the kind of error."""
    rng = np.random.default_rng(seed)
    reader = READERS[rng.integers(len(READERS))]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            reader(Path(folder), rng)
        except (InputError, FileError) as error:
            assert "\n" not in one_line(str(error)) and len(str(error)) > 10
            return f"{reader.__name__}: {type(error).__name__}"
        except Exception as error:
            raise AssertionError(f"input {seed} ({reader.__name__})") from error
    return f"{reader.__name__}: read"


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    outcomes: dict[str, int] = {}
    for number in range(count):
        outcome = one(number)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    print(f"{count} inputs, no traceback: {outcomes}")
