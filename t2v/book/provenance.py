"""Inputs of a result table: image archives and weights, with checksums and licences."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib.resources import files
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
    whole = library.provenance
    data_sets = [whole]
    if "sources" in whole:  # the open zoo
        data_sets = list(whole["sources"].values())
    elif "licence" not in whole:  # several libraries together
        data_sets = list(whole.values())
    inputs = [
        {
            "name": _name(archive) or data_set["title"],
            "sha256": archive["sha256"],
            "licence": data_set["licence"],
        }
        for data_set in data_sets
        for archive in data_set.get("archives", ())
    ]
    weights = {"name": f"weights of {probe.name}", "sha256": probe.sha256}
    if probe.name == "synthetic":
        return [*inputs, {**weights, "licence": "MIT, part of this project"}]
    packaged = files("t2v.pretrained") / f"{probe.name}.json"
    if packaged.is_file():
        return [*inputs, {**weights, "licence": json.loads(packaged.read_text())["licence"]}]
    manifest = Path(os.environ.get("T2V_WEIGHTS", "")) / "manifest.json"
    entry = {}
    if manifest.is_file():
        entry = json.loads(manifest.read_text(encoding="utf-8"))
        entry = entry.get("files", entry).get(probe.name, {})
    weights["licence"] = entry.get("licence") or "torchvision's, BSD 3-clause"
    origin = {key: entry[key] for key in ("repo", "source_repo", "note") if key in entry}
    return [*inputs, {**weights, **origin}]


def _name(archive: Mapping[str, str]) -> str:
    return next((archive[key] for key in ("file", "archive", "url") if key in archive), "")
