"""What each unit of chapter 10 costs on a machine: the chapter's own cells, run on it.

    python -m data_scripts.benchmarks.unit_costs --out book/results/benchmarks/unit-costs-cuda.csv

Of the book nothing need be installed, only the module with its plots (`t2v[plots]`).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import torch

from t2v.book import tables
from t2v.book.provenance import device_name

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "10_papers_size.ipynb"
LAST = "10-07-unit-costs"  # the cell that measures
COLUMNS = {
    "unit": {"unit": "", "meaning": "kind of work; per image, or per cell"},
    "operations": {"unit": "10^9", "meaning": "arithmetic operations, counted"},
    "seconds": {"unit": "s", "meaning": "of one core, or of the GPU, best of three runs"},
    "speed": {"unit": "10^9/s", "meaning": "the one over the other"},
}


def measured(device: str) -> dict[str, Any]:
    """What the chapter's cells have found when they have measured."""
    book = ModuleType("myst_nb")
    book.glue = None  # nothing is shown here
    sys.modules["myst_nb"] = book
    names: dict[str, Any] = {}
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
            if "parameters" in cell["metadata"].get("tags", ()):
                names |= {"scale": "paper", "device": device}
        if cell["id"] == LAST:
            return names
    raise SystemExit(f"{NOTEBOOK}: no cell {LAST}")


def main() -> None:
    """Print the table, and write it if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", choices=("cpu", "cuda"))
    parser.add_argument("--out", help="a .csv; its sidecar goes beside it")
    given = parser.parse_args()
    started = time.perf_counter()
    found = measured(given.device)
    frame = pd.DataFrame(
        {
            "unit": unit,
            "operations": round(found["operations"][unit] / 1e9, 1),
            "seconds": float(f"{found['seconds'][unit]:.3g}"),
            "speed": round(found["speed"][unit] / 1e9),
        }
        for unit in found["work"]
    )
    print(frame.to_string(index=False))
    if given.out:
        tables.write(
            frame,
            given.out,
            columns=COLUMNS,
            limits="One machine, small batches, untrained weights. The counter does not see the "
            "eigenvectors of a cell. On a GPU the convolutions of forward and training step in "
            "TF32, torch's default, of the embedding in full single precision.",
            seed=0,
            seconds=round(time.perf_counter() - started, 1),
            device=device_name(torch.device(given.device)),
        )


if __name__ == "__main__":
    main()
