"""Options and conditions shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# how long a draw takes is not what these tests are about
settings.register_profile("t2v", deadline=None)
settings.load_profile("t2v")

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser):
    parser.addoption("--device", default="cpu", help="cpu or cuda: where tests of networks run")
    parser.addoption("--dtype", default="float64", help="float64 or float32: of those networks")


@pytest.fixture(scope="session")
def device(request):
    import torch

    return torch.device(request.config.getoption("--device"))


@pytest.fixture(scope="session")
def dtype(request):
    import torch

    return getattr(torch, request.config.getoption("--dtype"))


@pytest.fixture(autouse=True)
def plain_style():
    """Matplotlib's own style, whichever a test before this one has set."""
    import matplotlib as mpl

    with mpl.rc_context(mpl.rcParamsDefault | {"backend": "agg"}):
        yield


def pytest_collection_modifyitems(items):
    """GPU tests and those on photographs are skipped, saying so, where there is none."""
    conditions = {"gpu": (_has_gpu, "no CUDA device"), "real": (_has_photographs, "no photographs")}
    for marker, (present, reason) in conditions.items():
        marked = [item for item in items if marker in item.keywords]
        if marked and not present():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _has_photographs() -> bool:
    from builder.data import photographs

    return bool(photographs(ROOT))
