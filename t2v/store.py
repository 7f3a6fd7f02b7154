"""Embeddings of many tasks: in parallel, each computed once and kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from joblib import Memory, Parallel, delayed
from rich.progress import track

from t2v.embedding import Embedding, domain2vec, task2vec
from t2v.probe import Probe
from t2v.task import Task

# what decides the values of an embedding: a change in one of these makes kept ones stale
_SOURCES = ("embedding", "fisher", "head", "probe", "robust", "row_norms", "networks")


def memory() -> Memory:
    """The cache on disk, under `T2V_CACHE` (default `.cache/t2v` in the working directory)."""
    return Memory(os.environ.get("T2V_CACHE", Path(".cache") / "t2v"), verbose=0)


@cache
def code_version() -> str:
    """sha256 of the sources that decide an embedding's values."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        path = Path(__file__).with_name(f"{name}.py")
        if path.exists():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def embed_tasks(
    tasks: Iterable[Task],
    probe: Probe,
    *,
    domain: str | None = None,
    jobs: int | None = None,
    progress: bool = False,
    **options: Any,
) -> list[Embedding]:
    """The embeddings of tasks, in their order; those computed before come from the cache.

    Each is kept as soon as it is there, so a run that was killed goes on where it was. The work is
    a `joblib.Parallel` over tasks: processes on this machine, or whatever
    `joblib.parallel_config` says (a Dask cluster, say).

    Args:
        tasks: what to embed.
        probe: see `load_probe`.
        domain: "mean" or "second" for `domain2vec`; None for `task2vec`.
        jobs: processes; default: one per core on the CPU, one on a GPU.
        progress: show a progress bar.
        options: of `task2vec` or `domain2vec`.
    """
    tasks = list(tasks)
    if jobs is None:
        jobs = 1 if probe.device.type == "cuda" else -1
    how = (domain, tuple(sorted(options.items())), probe.sha256, probe.image_size, code_version())
    embed = memory().cache(_embed, ignore=["task", "probe"])
    results: Any = [None] * len(tasks)
    missing = []
    for i, task in enumerate(tasks):
        key = (task.fingerprint, *how)
        if embed.check_call_in_cache(key, None, None):
            results[i] = embed(key, None, None)
        else:
            missing.append((i, key))
    # largest first, so that no process is left alone with a long one at the end
    missing.sort(key=lambda item: -len(tasks[item[0]]) * tasks[item[0]].num_classes)
    done = Parallel(n_jobs=jobs, return_as="generator")(
        delayed(embed)(key, tasks[i], probe) for i, key in missing
    )
    bar = track(done, "embedding", total=len(missing), disable=not progress, transient=True)
    for (i, _), embedding in zip(missing, bar, strict=True):
        results[i] = embedding
    return results


def _embed(key: tuple, task: Task, probe: Probe) -> Embedding:
    _, domain, options, *_ = key
    if domain is not None:
        return domain2vec(task, probe, domain, **dict(options))
    return task2vec(task, probe, **dict(options))
