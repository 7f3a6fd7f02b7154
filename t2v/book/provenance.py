"""What a table was made from: pictures and weights, with checksums and licences."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch

from t2v.libraries import Library
from t2v.probe import Probe


def device_name(device: torch.device) -> str:
    """What a table says of the machine: the GPU's name, or the number of threads of the CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu, {torch.get_num_threads()} threads"


def inputs_of(library: Library, probe: Probe) -> list[dict[str, str]]:
    """The archives of a library's pictures and the probe's weights, for `tables.write`.

    Args:
        library: drawn libraries have no archives.
        probe: of its weights, the licence and a note are taken from the `manifest.json` beside
            them in the folder that the environment variable `T2V_WEIGHTS` names, if it has one.

    Returns:
        One dictionary each, with `name`, `sha256` and `licence`.
    """
    parts = [library.provenance]
    if "licence" not in library.provenance:  # several libraries together
        parts = list(library.provenance.values())
    inputs = [
        {
            "name": archive.get("file") or archive.get("url", part["title"]),
            "sha256": archive["sha256"],
            "licence": part["licence"],
        }
        for part in parts
        for archive in part.get("archives", ())
    ]
    weights = {"name": f"weights of {probe.name}", "sha256": probe.sha256}
    if probe.name == "synthetic":
        return [*inputs, {**weights, "licence": "MIT, part of this project"}]
    manifest = Path(os.environ.get("T2V_WEIGHTS", "")) / "manifest.json"
    known = {}
    if manifest.is_file():
        known = json.loads(manifest.read_text(encoding="utf-8"))
        known = known.get("files", known).get(probe.name, {})
    weights["licence"] = known.get("licence") or "torchvision's, BSD 3-clause"
    kept = {key: known[key] for key in ("repo", "source_repo", "note") if key in known}
    return [*inputs, {**weights, **kept}]
