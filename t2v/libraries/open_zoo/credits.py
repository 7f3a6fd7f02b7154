"""Licence and credit of each image of the open zoo."""

from __future__ import annotations

from functools import cache

from t2v.errors import InputError
from t2v.libraries import Credit
from t2v.libraries.open_zoo import shards


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
