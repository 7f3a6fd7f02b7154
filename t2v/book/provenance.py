"""Inputs of a result table: image archives and weights, with checksums and licences."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch

from t2v.libraries import Library
from t2v.probe import Probe


def device_name(device: torch.device) -> str:
    """Name of the device in a table's sidecar: the GPU's, or the number of CPU threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu, {torch.get_num_threads()} threads"


def inputs_of(library: Library, probe: Probe) -> list[dict[str, str]]:
    """The archives of a library's images and the weights of a probe, for `tables.write`.

    Args:
        library: library of tasks; drawn libraries have no archives.
        probe: probe; licence and note of its weights are read from `manifest.json` in the folder
            that the environment variable `T2V_WEIGHTS` names, if it is there.

    Returns:
        A dictionary with `name`, `sha256` and `licence` for each of them.
    """
    data_sets = [library.provenance]
    if "licence" not in library.provenance:  # several libraries together
        data_sets = list(library.provenance.values())
    inputs = [
        {
            "name": archive.get("file") or archive.get("url", data_set["title"]),
            "sha256": archive["sha256"],
            "licence": data_set["licence"],
        }
        for data_set in data_sets
        for archive in data_set.get("archives", ())
    ]
    weights = {"name": f"weights of {probe.name}", "sha256": probe.sha256}
    if probe.name == "synthetic":
        return [*inputs, {**weights, "licence": "MIT, part of this project"}]
    manifest = Path(os.environ.get("T2V_WEIGHTS", "")) / "manifest.json"
    entry = {}
    if manifest.is_file():
        entry = json.loads(manifest.read_text(encoding="utf-8"))
        entry = entry.get("files", entry).get(probe.name, {})
    weights["licence"] = entry.get("licence") or "torchvision's, BSD 3-clause"
    origin = {key: entry[key] for key in ("repo", "source_repo", "note") if key in entry}
    return [*inputs, {**weights, **origin}]
