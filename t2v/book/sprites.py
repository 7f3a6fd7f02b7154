"""Small images of many tasks in one file: chosen, resized and packed."""

from __future__ import annotations

import base64
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from PIL import Image, ImageOps

from t2v.errors import InputError
from t2v.libraries import Library, credit_of
from t2v.task import Task

Strip = Sequence[tuple[str, np.ndarray]]
"""The images of one task: caption and uint8 `[3, h, w]` of each."""


@dataclass(frozen=True)
class Sprite:
    """Many images as tiles of one.

    Attributes:
        address: the image in WebP, as a `data:` address.
        columns: number of tiles in a row.
        tiles: for each task, caption and number of each of its tiles, counted row by row.
        faces: for each task, number of the tile that the fewest other tasks show.
    """

    address: str
    columns: int
    tiles: dict[int, list[tuple[str, int]]]
    faces: dict[int, int]


def four_images(task: Task) -> list[tuple[str, np.ndarray]]:
    """Up to four training images from as many classes as possible: name and uint8 `[3, h, w]`."""
    train = task.train
    return [
        (task.classes[int(train.labels[i])], np.asarray(train.images[i]))
        for i in some_places(train)
    ]


def some_places(train: Task, count: int = 4) -> list[int]:
    """Positions of up to `count` images from as many classes as possible."""
    of_class = [np.flatnonzero(train.labels.numpy() == k) for k in range(train.num_classes)]
    rounds = (images[n] for n in range(count) for images in of_class if n < len(images))
    return [int(i) for i in islice(rounds, count)]


def pack(strips: Mapping[int, Strip], pixels: int = 48, quality: int = 72) -> Sprite:
    """Pack the images of tasks into one, each image once, however many tasks show it.

    Args:
        strips: index of a task to its images.
        pixels: side of a tile; what is not square is cropped around its middle.
        quality: quality of the WebP, 0 to 100.

    Raises:
        InputError: if an image is not uint8 `[3, h, w]`, or there is none.
    """
    pool: dict[tuple[tuple[int, ...], bytes], int] = {}
    tiles: dict[int, list[tuple[str, int]]] = {}
    small: list[Image.Image] = []
    for task, strip in strips.items():
        if not strip:
            continue
        tiles[task] = []
        for caption, image in strip:
            image = np.ascontiguousarray(image)
            if image.dtype != np.uint8 or image.ndim != 3 or len(image) != 3:
                raise InputError(
                    f"image {caption!r} of task {task}: expected uint8 [3, h, w], "
                    f"got {image.dtype} {list(image.shape)}"
                )
            key = (image.shape, image.tobytes())
            if key not in pool:
                pool[key] = len(small)
                whole = Image.fromarray(image.transpose(1, 2, 0))
                small.append(ImageOps.fit(whole, (pixels, pixels), Image.Resampling.LANCZOS))
            tiles[task].append((caption, pool[key]))
    if not small:
        raise InputError("no images to pack: leave the strips out where none may be shown")
    columns = int(np.ceil(np.sqrt(len(small))))
    sheet = Image.new("RGB", (columns * pixels, -(-len(small) // columns) * pixels))
    for number, tile in enumerate(small):
        sheet.paste(tile, (number % columns * pixels, number // columns * pixels))
    buffer = io.BytesIO()
    sheet.save(buffer, "WEBP", quality=quality, method=6)
    content = base64.b64encode(buffer.getvalue()).decode()
    shown = Counter(number for strip in tiles.values() for _, number in strip)
    faces = {
        task: min((number for _, number in strip), key=lambda number: shown[number])
        for task, strip in tiles.items()
    }
    return Sprite(f"data:image/webp;base64,{content}", columns, tiles, faces)


def images_and_credits(
    library: Library, data_sets: Sequence[str]
) -> tuple[dict[int, Strip], list[str], list[str]]:
    """The images of a library's tasks that a page may show, and who made them.

    Args:
        library: library of T tasks; without `pictures_allowed`, all images may be shown.
        data_sets: T names of data sets, or of parts of a joint library.

    Returns:
        Four images of each task by its index, where they are allowed; for each of the T tasks, its
        credit with the licence, and the photographers of the four where they are known by name;
        and an address: of the open zoo that in the book's page of credits, seen from any page,
        else the page of the publisher, "" for drawn images.
    """
    whole = library.provenance
    parts = {**whole.get("sources", {}), **{k: v for k, v in whole.items() if isinstance(v, dict)}}
    strips: dict[int, Strip] = {}
    credits: list[str] = []
    links: list[str] = []
    for i, (task, data_set) in enumerate(zip(library.tasks, data_sets, strict=True)):
        part = parts.get(data_set, whole)
        allowed = part.get("pictures_allowed", whole.get("pictures_allowed"))
        if allowed is None or task.name in allowed:
            strips[i] = four_images(task)
        credit = part.get("credit", "Drawn by this project")
        licence = part["licence"].split(", http")[0]  # its address is on the publisher's page
        credits.append(credit if licence in credit else f"{credit} ({licence})")
        if task.name in library.paths:
            names = _photographers(library.paths[task.name][k] for k in some_places(task.train))
            credits[-1] = (f"Photographs by {', '.join(names)}. " if names else "") + credits[-1]
            links.append(f"../book/photographs.html#{data_set}")
            continue
        address = re.match(r"https?://\S+", part.get("page", ""))
        links.append(address[0] if address else "")
    return strips, credits, links


def _photographers(paths: Iterable[str]) -> list[str]:
    """Photographers of single images, whose credits begin with a name and an address."""
    parts = (credit_of(path).credit.partition(", http") for path in paths)
    return list(dict.fromkeys(name for name, address, _ in parts if address))
