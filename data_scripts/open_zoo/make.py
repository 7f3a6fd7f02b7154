"""Make the shards of the library `open` anew: `python -m data_scripts.open_zoo.make all --to DIR`.

Archives are fetched from the repositories and commits that the manifests name, the images chosen,
cropped, made smaller and stored, and the result is compared with the shards of the package. Equal
pixels of the sources are what is promised; the bytes of a WebP file depend on the version of its
encoder.

What could not be had from its publisher when the shards were made, and came from elsewhere:

* Caltech-101 and TrashNet: from repositories that hold copies (the second agrees with the
  publisher's list in names and numbers); the page of Caltech-101 that states the licence was not
  reached either, see its manifest;
* flowers: from a copy of the publisher's archive with a few images fewer. This script takes the
  archive itself, so some of the chosen images may differ;
* clothing: from a copy with sides of 96 pixels and at most 140 images a label. This script takes
  the images that the index lists from the publisher's repository. They are coded once less and have
  other pixels, and the names of contributors' groups differ.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from PIL import Image, ImageOps

from data_scripts.open_zoo.recipes import RECIPES, Recipe
from data_scripts.photographs import unpack
from data_scripts.photographs.download import bring
from t2v.errors import FileError
from t2v.libraries.open_zoo.shards import FOLDER, SOURCES, manifest

SIDE, QUALITY, FEWEST_PIXELS = 64, 82, 20
LIMIT = 4_729_520  # bytes of an archive: no file of the repository exceeds 5 MB
NEAR = 3  # bits


@dataclass(frozen=True)
class Candidate:
    """An image that may be chosen.

    Attributes:
        label: label of the image.
        path: path in the shard.
        source_path: name by which candidates are put in order.
        attributes: columns of the index.
        webp: the file in the shard.
        pixels: sha256 of the source's pixels.
        outline: difference hash, 64 bits.
        large: whether no side is shorter than `FEWEST_PIXELS`.
    """

    label: str
    path: str
    source_path: str
    attributes: dict[str, str]
    webp: bytes
    pixels: str
    outline: int
    large: bool


def shrink(content: bytes, grey: bool) -> tuple[bytes, str, int, bool]:
    """WebP, sha256 of the source's pixels, difference hash, and whether the image is large enough.

    The orientation of the camera is applied, the centre cut out at 4:3 at most, and the shorter
    side reduced to `SIDE` pixels.
    """
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    if image.mode in ("RGBA", "LA", "P"):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    image = image.convert("L" if grey else "RGB")
    pixels = hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()
    width, height = image.size
    w, h = min(width, height * 4 // 3), min(height, width * 4 // 3)
    left, top = (width - w) // 2, (height - h) // 2
    image = image.crop((left, top, left + w, top + h))
    scale = SIDE / min(w, h)
    if scale < 1:
        image = image.resize((round(w * scale), round(h * scale)), Image.Resampling.LANCZOS)
    image.info = {}
    file = io.BytesIO()
    image.save(file, "WEBP", quality=QUALITY, method=6)
    rows = image.convert("L").resize((9, 8), Image.Resampling.BILINEAR).tobytes()
    bits = [rows[9 * r + c + 1] > rows[9 * r + c] for r in range(8) for c in range(8)]
    outline = sum(bit << i for i, bit in enumerate(bits))
    return file.getvalue(), pixels, outline, min(image.size) >= FEWEST_PIXELS


def members(archive: Path, inner: str, top: bool = True) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and stream of the archive's members, below its top folder, and of archives inside."""
    for name, stream in unpack.members(archive):
        name = name.partition("/")[2] if top else name
        if re.fullmatch(inner, name):
            with TemporaryDirectory() as scratch:
                path = Path(scratch) / "inner.zip"
                unpack.copy(stream, path, archive)
                yield from members(path, "(?!)", top=False)
        else:
            yield name, stream


def candidates(archive: Path, recipe: Recipe) -> list[Candidate]:
    """All images of an archive that its recipe does not leave out."""
    tables = {n: s.read() for n, s in members(archive, "(?!)") if n in recipe.tables}
    if missing := set(recipe.tables) - set(tables):
        raise FileError(f"{archive}: no {', '.join(missing)} in it; is it the right archive?")
    found = []
    for name, stream in members(archive, recipe.inner):
        match = re.fullmatch(recipe.images, name)
        about = recipe.describe(match, tables) if match else None
        if match and about is not None:
            fields = match.groupdict() | about
            label = recipe.label.format(**fields)
            path = f"{_safe(label)}/{_safe(recipe.stem.format(**fields))}.webp"
            columns = {key: about[key] for key in recipe.attributes}
            source = about.get("source_path", name)
            found.append(
                Candidate(label, path, source, columns, *shrink(stream.read(), recipe.grey))
            )
    return found


def choose(found: list[Candidate], recipe: Recipe) -> list[Candidate]:
    """At most `cap` images of each label, in the order of a hash, without (near-)copies."""
    chosen: list[Candidate] = []
    pixels: set[str] = set()
    outlines: dict[str, list[int]] = {}
    number: Counter[str] = Counter()
    for one in sorted(found, key=lambda c: (c.label, _hash(c.source_path))):
        near = any((one.outline ^ o).bit_count() <= NEAR for o in outlines.get(one.label, []))
        if (
            number[one.label] < recipe.cap
            and one.large
            and one.pixels not in pixels
            and not (near and not recipe.grey)
        ):
            chosen.append(one)
            pixels.add(one.pixels)
            outlines.setdefault(one.label, []).append(one.outline)
            number[one.label] += 1
    return chosen


def write(source: str, chosen: list[Candidate], recipe: Recipe, to: Path) -> None:
    """The archives, labels whole and in order, and the index of a data set."""
    shards: list[list[Candidate]] = [[]]
    size = 0
    for label in sorted({c.label for c in chosen}):
        part = sorted((c for c in chosen if c.label == label), key=lambda c: c.path)
        cost = sum(len(c.webp) + 150 + 2 * len(c.path) for c in part)
        if shards[-1] and size + cost > LIMIT:
            shards, size = [*shards, []], 0
        shards[-1] += part
        size += cost
    rows = []
    for i, shard in enumerate(shards, 1):
        name = f"{source}.zip" if len(shards) == 1 else f"{source}-{i}.zip"
        with zipfile.ZipFile(to / name, "w", zipfile.ZIP_STORED) as box:
            for c in sorted(shard, key=lambda c: c.path):
                info = zipfile.ZipInfo(c.path, (1980, 1, 1, 0, 0, 0))
                info.external_attr = 0o644 << 16
                box.writestr(info, c.webp)
        for c in shard:
            about = {"path": c.path, "label": c.label, "split": "", "archive": name}
            rows.append(
                about | c.attributes | {"source_path": c.source_path, "pixel_sha256": c.pixels[:16]}
            )
    for label in {row["label"] for row in rows}:  # a column that the library does not use
        of_label = [row for row in rows if row["label"] == label]
        of_label.sort(key=lambda row: _hash(f"{source}/{row['path']}"))
        for i, row in enumerate(of_label):
            row["split"] = "test" if i < (len(of_label) + 2) // 4 else "train"
    with (to / f"{source}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: row["path"]))


def compare(source: str, to: Path, known: Path = FOLDER) -> list[str]:
    """Differences between the shards of a folder and those of the package, one line each."""
    new, old = (_index(folder / f"{source}.csv") for folder in (to, known))
    lines = [f"{source}: {path} is not in the package" for path in sorted(set(new) - set(old))]
    lines += [f"{source}: {path} is missing" for path in sorted(set(old) - set(new))]
    lines += [
        f"{source}: {path} has another {column}"
        for path in sorted(set(new) & set(old))
        for column in old[path]
        if column not in ("archive", "split") and new[path][column] != old[path][column]
    ]
    for archive in manifest(source, known)["archives"]:
        path = to / archive["archive"]
        if not path.is_file() or _sha256(path) != archive["sha256"]:
            lines.append(f"{source}: {archive['archive']} has other bytes")
    return lines


def make(source: str, archive: Path, to: Path) -> list[str]:
    """Make the shards of one data set from its archive, and compare them with the package's.

    Args:
        source: name of the data set.
        archive: the publisher's archive.
        to: folder of the shards.

    Raises:
        FileError: if the archive is damaged, or not the publisher's.
    """
    recipe = RECIPES[source]
    found = candidates(archive, recipe)
    if recipe.as_listed:
        listed = {row["source_path"] for row in _index(FOLDER / f"{source}.csv").values()}
        chosen = [c for c in found if c.source_path in listed]
    else:
        chosen = choose(found, recipe)
    if not chosen:
        raise FileError(f"{archive}: no image found in it; is it the right archive?")
    to.mkdir(parents=True, exist_ok=True)
    write(source, chosen, recipe, to)
    return compare(source, to)


def address(source: str) -> str:
    """Address of the archive of a data set."""
    about = manifest(source)
    repository = f"https://github.com/{about['source_repo']}/archive/{about['source_commit']}.zip"
    return RECIPES[source].url or repository


def _index(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Fetch, make and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", help=f"{', '.join(SOURCES)}, or all")
    parser.add_argument("--to", type=Path, required=True, help="folder of the shards")
    parser.add_argument("--archives", type=Path, help="folder with NAME.zip, instead of fetching")
    given = parser.parse_args()
    for name in SOURCES if "all" in given.names else given.names:
        if given.archives:
            archive = given.archives / f"{name}.zip"
        else:
            archive = bring(address(name), given.to / "downloads", f"{name}.archive", None)
        lines = make(name, archive, given.to)
        print(f"{name}: {len(lines)} differences from the package", *lines[:20], sep="\n  ")


if __name__ == "__main__":
    try:
        main()
    except FileError as error:
        sys.exit(f"error: {error}")
