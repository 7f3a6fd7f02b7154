"""Licence and credit of each image of the open zoo."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from t2v.errors import InputError
from t2v.libraries.open_zoo import shards


@dataclass(frozen=True)
class Credit:
    """Whom to name beside an image, and under which terms it may be shown.

    Attributes:
        path: path of the image, as in `Library.paths`.
        source: title of the data set.
        licence: name and address of the licence.
        credit: the line to print; it names the photographer where one is known.
        page: address of the photograph, else of the data set.
    """

    path: str
    source: str
    licence: str
    credit: str
    page: str


def credit_of(path: str) -> Credit:
    """The credit of one image.

    Args:
        path: path of an image, as in `Library.paths`.

    Raises:
        InputError: if there is no such image.
    """
    try:
        row = _rows()[path]
    except KeyError:
        raise InputError(f"image {path!r} is not in the open zoo: see Library.paths") from None
    about = _manifests()[row["source"]]
    credit, page = about["credit"], about["publisher_page"]
    if "photographer" in row:
        credit, page = f"{row['photographer']}, {row['url']}; {credit}", row["url"]
    return Credit(path, about["title"], about["licence"], credit, page)


@cache
def _rows() -> dict[str, dict[str, str]]:
    return {row["id"]: row for row in shards.read_index()}


@cache
def _manifests() -> dict[str, dict[str, str]]:
    return {source: shards.manifest(source) for source in shards.present()}
