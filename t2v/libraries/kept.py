"""Pictures that are drawn once and kept, under the environment variable `T2V_CACHE`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Hashable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Memory


def drawn_once(
    draw: Callable[[tuple, Any], np.ndarray], key: tuple[Hashable, ...], sources: tuple, given: Any
) -> np.ndarray:
    """`draw(key, given)`, or what it gave before for this key.

    Args:
        draw: a function of a module, with the arguments `key` and `given`.
        key: what tells `given` from any other; part of it becomes the version of the sources.
        sources: modules of this folder that decide the pictures: a change makes kept ones stale.
        given: what is drawn.
    """
    memory = Memory(os.environ.get("T2V_CACHE", Path(".cache") / "t2v"), verbose=0)
    return memory.cache(draw, ignore=["given"])((*key, _version(sources)), given)


@cache
def _version(sources: tuple[str, ...]) -> str:
    """sha256 of the sources."""
    digest = hashlib.sha256()
    for name in sources:
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest()
