"""Which members of the publishers' archives become images of the shards, and what is known of them.

The addresses are in the manifests beside the shards (`source_repo` at `source_commit`), but for
flowers, whose publisher has an archive of its own.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from t2v.libraries.open_zoo.shards import table

Attributes = dict[str, str]
Describe = Callable[[re.Match[str], Mapping[str, bytes]], Attributes | None]


def _nothing(match: re.Match[str], tables: Mapping[str, bytes]) -> Attributes:
    return {}


@dataclass(frozen=True)
class Recipe:
    """How the archive of a data set becomes a shard.

    Attributes:
        images: pattern of the members that are images, below the archive's top folder.
        label: label of an image, a template of the pattern's groups.
        stem: name of the image in the shard, a template; a shard has no two of one name.
        cap: largest number of images of a label.
        describe: from the match and the `tables` to the attributes; None to leave the image out.
            The attribute `source_path` is the name by which images are put in order.
        attributes: columns of the index.
        tables: members that `describe` reads.
        inner: pattern of archives inside the archive.
        grey: whether images are grey, and near-copies are kept.
        as_listed: whether the choice is that of the index, because it cannot be repeated.
        url: address of the archive; default: the repository of the manifest.
    """

    images: str
    label: str
    stem: str
    cap: int
    describe: Describe = _nothing
    attributes: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    inner: str = "(?!)"
    grey: bool = False
    as_listed: bool = False
    url: str | None = None


def _rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def _of_caltech(match: re.Match[str], tables: Mapping[str, bytes]) -> Attributes | None:
    used = {row["label"] for row in table("labels") if row["source"] == "caltech101"}
    return {} if match["label"] in used else None


def _of_grocery(match: re.Match[str], tables: Mapping[str, bytes]) -> Attributes:
    """Kingdom and coarse class of the publisher; brand, flavour and label read from the name."""
    label, package = match["label"], match["kingdom"] == "Packages"
    rows = _rows(tables["dataset/classes.csv"])
    coarse = {row["Class Name (str)"]: row["Coarse Class Name (str)"] for row in rows}
    kind = coarse.get(label, match["folder"] or label)
    names = "Arla Garant Oatly Alpro Valio Yoggi Bravo God-Morgon Tropicana".split()
    brand = next((name for name in names if label.startswith(name)), "") if package else ""
    fruit = "apple" if "Apple" in label else "grapefruit" if "Grapefruit" in label else "orange"
    return {
        "kingdom": match["kingdom"],
        "coarse": kind,
        "brand": brand,
        "flavour": fruit if kind == "Juice" else "",
        "ecological": ("yes" if "Ecological" in label else "no") if brand else "",
    }


SLEEVES = {
    **dict.fromkeys(("Longsleeve", "Hoodie", "Blazer", "Outwear"), "long"),
    **dict.fromkeys(("T-Shirt", "Polo"), "short"),
    **dict.fromkeys(("Undershirt", "Top"), "none"),
}
REGIONS = {
    **dict.fromkeys(("Pants", "Shorts", "Skirt"), "lower"),
    **{"Hat": "head", "Shoes": "feet", "Dress": "whole"},
}


def _of_clothing(match: re.Match[str], tables: Mapping[str, bytes]) -> Attributes | None:
    known = {row["image"]: row for row in _rows(tables["images.csv"])}.get(match["file"])
    if known is None:
        return None
    label = known["label"]
    return {
        "label": label,
        "source_path": f"{label}/{match['file']}.jpg",
        "kids": "kids" if known["kids"] == "True" else "adult",
        "sleeve": SLEEVES.get(label, ""),
        "region": REGIONS.get(label, "upper"),
        "group": hashlib.sha256(known["sender_id"].encode()).hexdigest()[:8],
    }


def _of_flowers(match: re.Match[str], tables: Mapping[str, bytes]) -> Attributes | None:
    """Photographer and page; None where the publisher's list does not say both."""
    name = re.escape(f"{match['label']}/{match['file']}.jpg")
    line = re.compile(rf"^{name} CC[ -]BY(?: 2\.0)? by (?P<who>.*?) - (?P<url>https?://\S+)", re.M)
    found = line.search(tables["LICENSE.txt"].decode("utf-8"))
    if not found:
        return None
    path = f"{match['label']}/{match['file']}.jpg"
    return {"source_path": path, "photographer": found["who"], "url": found["url"]}


def _of_omniglot(match: re.Match[str], tables: Mapping[str, bytes]) -> Attributes | None:
    twice = match["part"] == "2" and match["alphabet"] in ("Greek", "Latin")
    if twice or int(match["character"][-2:]) > 8:
        return None
    alphabet = match["alphabet"].replace("(", "").replace(")", "")
    attributes = {"alphabet": alphabet, "character": match["character"], "drawer": match["drawer"]}
    return attributes | {"label": f"{alphabet}_{match['character']}"}


RECIPES = {
    "caltech101": Recipe(
        r"101_ObjectCategories/(?P<label>[^/]+)/(?P<file>image_\d+)\.jpg",
        "{label}", "{file}", 44, _of_caltech,
    ),
    "clothing": Recipe(
        r"images/(?P<file>[^/]+)\.jpg", "{label}", "{file}", 200, _of_clothing,
        ("kids", "sleeve", "region", "group"), ("images.csv",), as_listed=True,
    ),
    "flowers": Recipe(
        r"(?P<label>\w+)/(?P<file>[^/]+)\.jpg", "{label}", "{file}", 200, _of_flowers,
        ("photographer", "url"), ("LICENSE.txt",),
        url="https://download.tensorflow.org/example_images/flower_photos.tgz",
    ),
    "grocery": Recipe(
        r"dataset/(?P<part>train|val|test)/(?P<kingdom>Fruit|Packages|Vegetables)/"
        r"(?:(?P<folder>[^/]+)/)?(?P<label>[^/]+)/(?P<file>[^/]+)\.jpg",
        "{label}", "{part}_{file}", 40, _of_grocery,
        ("kingdom", "coarse", "brand", "flavour", "ecological"), ("dataset/classes.csv",),
    ),
    "omniglot": Recipe(
        r"images_background_small(?P<part>[12])/(?P<alphabet>[^/]+)/(?P<character>character\d+)/"
        r"(?P<file>\d+_(?P<drawer>\d+))\.png",
        "{label}", "{file}", 20, _of_omniglot, ("alphabet", "character", "drawer"),
        inner=r"python/images_background_small[12]\.zip", grey=True,
    ),
    "signdigits": Recipe(
        r"Dataset/(?P<digit>\d)/(?P<file>[^/]+)\.(?:JPG|jpg)", "digit_{digit}", "{file}", 80,
    ),
    "trashnet": Recipe(
        r"dataset-resized/(?P<label>\w+)/(?P<file>[^/]+)\.jpg", "{label}", "{file}", 160,
    ),
}  # fmt: skip
"""By data set of the open zoo."""
