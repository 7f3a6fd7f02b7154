"""Miniatures of the paper's data sets, drawn once, and a cache of its own for each module."""

from __future__ import annotations

import warnings

import pytest

from data_scripts.miniature.make import make
from t2v.libraries import PAPER, load_library


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("miniatures")
    make(folder, size=0.7)
    return folder


@pytest.fixture(scope="module")
def libraries(data, tmp_path_factory):
    """Each library at scale `paper`, that is with all images."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        patch.setenv("T2V_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield {name: load_library(name, "paper", data=data) for name in PAPER}
