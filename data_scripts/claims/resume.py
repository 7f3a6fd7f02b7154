"""Tables with rows of several worlds, to which a later run adds rows made in the same way."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from t2v import Probe, load_probe
from t2v.book import tables
from t2v.book.provenance import device_name


def continued(
    parser: argparse.ArgumentParser, path: Path | None, made: Mapping[str, str]
) -> tuple[list[pd.DataFrame], float]:
    """The rows of a table that is to be continued, and their computing time in seconds.

    The command ends with one line if the table was made in another way.

    Args:
        parser: parser of the command line, for that line.
        path: path of the table; `None`, or a table that does not exist: no rows.
        made: entries of the sidecar that must be those of the new rows.
    """
    if path is None or not path.exists():
        return [], 0.0
    frame = tables.read(path)
    note = frame.attrs["provenance"]
    differences = [f"{k} {note.get(k)}, not {v}" for k, v in made.items() if note.get(k) != v]
    if differences:
        parser.error(f"{path} cannot be continued, it was made with {'; '.join(differences)}")
    return [frame], note["seconds"]


def seed_by_seed(
    description: str,
    measure: Callable[[int, str, Probe], Iterable[Mapping[str, Any]]],
    columns: Mapping[str, tuple[str, str]],
    report: Callable[[pd.DataFrame], str],
    *,
    seeds: Sequence[int] = (302, 303, 304, 305, 306),
    probe_options: Mapping[str, Any] = MappingProxyType({"name": "synthetic"}),
    limits: str = "synthetic worlds; the probe was trained on worlds of other seeds",
) -> None:
    """The command line of a script: measure the seeds that the table lacks, one after the other.

    The table is written after every seed, if `--out` names one, and means are printed.

    Args:
        description: docstring of the script; its first line is the help.
        measure: function from seed, scale and probe to the rows of one world.
        columns: unit and meaning of the columns, with `seed` among them.
        report: function from rows to their means in words.
        seeds: seeds that are measured by default.
        probe_options: arguments of `load_probe`.
        limits: what the numbers do not show, for the sidecar.
    """
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(seeds))
    parser.add_argument("--scale", default="laptop")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--out", type=Path, help="table to write (.csv)")
    arguments = parser.parse_args()
    probe = load_probe(**probe_options, device=arguments.device)
    made = {"scale": arguments.scale, "device": device_name(probe.device), "probe": probe.sha256}
    frames, seconds = continued(parser, arguments.out, made)
    done = {seed for frame in frames for seed in frame.seed}
    for seed in arguments.seeds:
        if seed in done:
            continue
        started = time.time()
        rows = list(measure(seed, arguments.scale, probe))
        frames.append(pd.DataFrame(rows, columns=list(columns)))
        seconds += time.time() - started
        print(f"seed {seed}: {time.time() - started:.0f} s\n{report(frames[-1])}", flush=True)
        if arguments.out:
            frame = pd.concat(frames, ignore_index=True)
            tables.write(
                frame,
                arguments.out,
                columns={name: {"unit": u, "meaning": m} for name, (u, m) in columns.items()},
                limits=limits,
                seed=sorted({int(seed) for seed in frame.seed}),
                seconds=seconds,
                **made,
            )
    print(f"\nall seeds\n{report(pd.concat(frames))}")
