"""Distances from which on the generic network is taken, for probes that have been measured.

The table `thresholds.csv` has one row per probe: `probe`, its name; `weights_sha256` and
`image_size`, which identify it; `kind` and `prior` of the distance; `threshold`; and where it comes
from: `measured_on` and `how`. `python -m data_scripts.claims.threshold` makes a row.
"""

from __future__ import annotations

import csv
from importlib.resources import files

KIND = "symmetric"
COLUMNS = (
    "probe",
    "weights_sha256",
    "image_size",
    "kind",
    "prior",
    "threshold",
    "measured_on",
    "how",
)


def threshold_of(weights_sha256: str, image_size: int) -> float | None:
    """The threshold of the symmetric distance with the default prior.

    Args:
        weights_sha256: `Probe.sha256`.
        image_size: pixels.

    Returns:
        The threshold for `NearestOrGeneric` and `recommend`; `None` if the probe has none.
    """
    text = files("t2v.pretrained").joinpath("thresholds.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        if (row["weights_sha256"], int(row["image_size"])) == (weights_sha256, image_size):
            return float(row["threshold"])
    return None
