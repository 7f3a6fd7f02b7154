"""Cost of each unit of work of chapter 10 on a machine.

    python -m data_scripts.benchmarks.unit_costs --out book/results/benchmarks/unit-costs-cuda.csv

The code cells of the chapter are executed as they are, up to the one that measures: the table must
have the costs of exactly the code that the chapter shows, on machines where the tools of the book
(Jupyter, papermill) are not installed. Needs `t2v[plots]`.
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
MEASURING_CELL = "10-07-unit-costs"
COLUMNS = {
    "unit": {"unit": "", "meaning": "kind of work; per image, or per cell"},
    "operations": {"unit": "10^9", "meaning": "arithmetic operations, counted"},
    "seconds": {"unit": "s", "meaning": "time on one core or on the GPU, best of three runs"},
    "speed": {"unit": "10^9/s", "meaning": "operations per second"},
}


def measured(device: str) -> dict[str, Any]:
    """Names and values of the chapter after its measuring cell."""
    myst_nb = ModuleType("myst_nb")
    myst_nb.glue = None  # imported by the cells, used only after the measurement
    sys.modules["myst_nb"] = myst_nb
    names: dict[str, Any] = {}
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
            if "parameters" in cell["metadata"].get("tags", ()):
                names |= {"scale": "paper", "device": device}
        if cell["id"] == MEASURING_CELL:
            return names
    raise SystemExit(f"{NOTEBOOK}: no cell {MEASURING_CELL}")


def main() -> None:
    """Print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", choices=("cpu", "cuda"))
    parser.add_argument("--out", help="table to write (.csv)")
    arguments = parser.parse_args()
    started = time.perf_counter()
    values = measured(arguments.device)
    frame = pd.DataFrame(
        {
            "unit": unit,
            "operations": round(values["operations"][unit] / 1e9, 1),
            "seconds": float(f"{values['seconds'][unit]:.3g}"),
            "speed": round(values["speed"][unit] / 1e9),
        }
        for unit in values["work"]
    )
    print(frame.to_string(index=False))
    if arguments.out:
        tables.write(
            frame,
            arguments.out,
            columns=COLUMNS,
            limits="One machine, small batches, untrained weights. The counter does not see the "
            "eigenvectors of a cell. On a GPU the convolutions of forward and training step in "
            "TF32, torch's default, of the embedding in full single precision.",
            seed=0,
            seconds=round(time.perf_counter() - started, 1),
            device=device_name(torch.device(arguments.device)),
        )


if __name__ == "__main__":
    main()
