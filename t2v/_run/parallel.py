"""Independent pieces of work, in parallel by joblib: on this machine, or wherever it is told to."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, delayed
from rich.console import Console
from rich.progress import track
from threadpoolctl import threadpool_limits

_at_first = 0  # bytes of this process after its first item


def default_jobs(*devices: torch.device) -> int:
    """One process per core (-1), but a single one where a network is on a GPU."""
    return 1 if any(device.type == "cuda" for device in devices) else -1


def in_parallel(
    work: Callable[..., Any],
    items: Iterable[tuple],
    jobs: int,
    *,
    total: int,
    what: str,
    progress: bool = False,
    ordered: bool = True,
) -> Iterator[Any]:
    """`work(*item)` for every item, as soon as each is done.

    The work is a `joblib.Parallel`: processes on this machine, or whatever
    `joblib.parallel_config` says (a Dask cluster, say). A process uses its share of the cores,
    whatever OMP_NUM_THREADS says for all of them together.

    Args:
        work: a function that can be pickled.
        items: its arguments.
        jobs: processes; -1: one per core.
        total: number of items.
        what: they are, for the progress bar.
        progress: show it.
        ordered: results in the order of the items, or in that in which they are done.
    """
    threads = torch.get_num_threads() if jobs == 1 else 1
    order = "generator" if ordered else "generator_unordered"
    # an item goes as one argument, a tuple: joblib's Dask backend puts large ones that are not on
    # a single worker ahead of time, and they are lost with it
    done = Parallel(jobs, return_as=order, batch_size=1)(
        delayed(_limited)(threads, work, item) for item in items
    )
    return bar(done, what, total, progress)


def bar(items: Iterable[Any], what: str, total: int, progress: bool) -> Iterator[Any]:
    """The items; with progress, under a bar on stderr where somebody is there to see it."""
    console = Console(stderr=True)
    seen = progress and (console.is_terminal or console.is_jupyter)
    return track(items, what, total=total, console=console, disable=not seen, transient=True)


def _limited(threads: int, work: Callable[..., Any], item: tuple) -> Any:
    torch.set_num_threads(threads)
    with threadpool_limits(threads):
        result = work(*item)
    _give_back()
    return result


def _give_back() -> None:
    """Returns freed memory to the system where the process has grown by 200 MB.

    joblib ends one that has grown by 300 MB. To do it after every item would be slow: the next one
    gets its pages back zeroed.
    """
    global _at_first
    with contextlib.suppress(OSError, AttributeError):  # Linux with glibc only
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        size = pages * os.sysconf("SC_PAGE_SIZE")
        _at_first = _at_first or size
        if size > _at_first + 200e6:
            ctypes.CDLL(None).malloc_trim(0)
