"""Parallel map with joblib, on local processes or any joblib backend."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from t2v._run.progress import bar

_first_size = 0  # bytes of this process after its first item


def default_jobs(*devices: torch.device) -> int:
    """Number of processes: one per core (-1), or 1 if any device is a GPU."""
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
    """Results of `work(*item)` for every item, each as soon as it is done.

    They are computed by `joblib.Parallel`: in processes on this machine, or by the backend that
    `joblib.parallel_config` sets (a Dask cluster, for example). With several processes each uses
    one thread, whatever OMP_NUM_THREADS says.

    Args:
        work: a function that can be pickled.
        items: tuples of its arguments.
        jobs: number of processes; -1: one per core.
        total: number of items.
        what: text of the progress bar.
        progress: show a progress bar.
        ordered: results in the order of the items; otherwise as they are done.
    """
    threads = torch.get_num_threads() if jobs == 1 else 1
    order = "generator" if ordered else "generator_unordered"
    # an item goes as one argument, a tuple: joblib's Dask backend puts large ones that are not on
    # a single worker ahead of time, and they are lost with it
    done = Parallel(jobs, return_as=order, batch_size=1)(
        delayed(_limited)(threads, work, item) for item in items
    )
    return bar(done, what, total, progress)


def _limited(threads: int, work: Callable[..., Any], item: tuple) -> Any:
    torch.set_num_threads(threads)
    with threadpool_limits(threads):
        result = work(*item)
    _trim_memory()
    return result


def _trim_memory() -> None:
    """Return freed memory to the system if the process has grown by 200 MB.

    joblib ends a process that has grown by 300 MB. Trimming after every item would be slow: the
    system zeroes the pages that the next item asks for.
    """
    global _first_size
    with contextlib.suppress(OSError, AttributeError):  # Linux with glibc only
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        size = pages * os.sysconf("SC_PAGE_SIZE")
        _first_size = _first_size or size
        if size > _first_size + 200e6:
            ctypes.CDLL(None).malloc_trim(0)
