"""Make the file of the probe `imagenet` that comes with the package from float32 weights.

    python -m data_scripts.probe.package_imagenet FOLDER     # has ARCHITECTURE.safetensors

`ARCHITECTURE` says which network is packaged; `t2v.load_probe` reads it from the description
beside the file. The same weights always give the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from safetensors.torch import load_file, save_file
from torch import Tensor
from torchvision.models import get_model

from t2v._run.files import replacing, sha256_of
from t2v.errors import FileError
from t2v.pretrained.architectures import IMAGENET_WEIGHTS, detach_head, state_sha256

ARCHITECTURE = "squeezenet1_1"
SMALL = 5_000  # values; what is smaller stays float32, see `packaged`
LARGEST = 5_000_000  # bytes of a file of this repository

TERMS = (
    "Trained on ImageNet (ILSVRC 2012), whose images are for non-commercial research and "
    "education by the terms of image-net.org and belong to their photographers. No image is part "
    "of this file. Whether those terms bear on weights is not settled; their publishers released "
    "these under the licences named here."
)
CONVERTED = "the arrays put under torchvision's names, without changing a value"
SOURCES: dict[str, dict[str, Any]] = {
    "mobilenet_v2": {
        "what": "MobileNetV2 (Sandler et al. 2018) of torchvision, as exported to ONNX",
        "sha256": "77056c888a8fbe0d2e841c016717dc92fe2726fd2011a007050ce6d015cb8eec",
        "licence": "Apache-2.0 AND BSD-3-Clause",
        "sources": [
            {
                "repository": "https://github.com/BruceDai/test-data",
                "note": "a fork of webmachinelearning/test-data; README of the folder: Apache-2.0, "
                "ONNX model zoo mobilenetv2-7, exported from torchvision (BSD-3-Clause)",
                "commit": "38659dfbc5f69daddb71b42d10eb4970176ddc54",
                "path": "models/mobilenetv2_nchw/weights/*.npy",
                "git_tree": "7bb7aed6851ba789a200f4833ea7bca6ecc71033",
            }
        ],
        "changes": [
            CONVERTED,
            "batch norm was folded into the convolutions by the exporter; its running means and "
            "variances were measured again on 250 ImageNet sample images, with the weights and "
            "biases that leave the network in eval mode as it was; the scale of a filter is that "
            "of the folded one, so Fisher information differs from that of torchvision's file by a "
            "factor for each filter",
        ],
        "accuracy": "top-1 84%, top-5 96% on 1,000 ImageNet sample images, probably of the "
        "training set, with a classifier that is not part of this file",
    },
    "squeezenet1_1": {
        "what": "SqueezeNet 1.1 (Iandola et al. 2016) of the ONNX model zoo, trained by Gluon",
        "sha256": "8bfd47ca16691cf23b80d8b7357e7e93d03a24c99372bd27f8e4b6bd5ee4cee6",
        "licence": "Apache-2.0",
        "sources": [
            {
                "repository": "https://github.com/BruceDai/test-data",
                "note": "a fork of webmachinelearning/test-data; README of the folder: Apache-2.0, "
                "ONNX model zoo squeezenet1.1-7",
                "commit": "38659dfbc5f69daddb71b42d10eb4970176ddc54",
                "path": "models/squeezenet1.1_nchw/weights/*.npy",
                "git_tree": "ced924290238c6313bd857dac1c08c2b049627c2",
            }
        ],
        "changes": [CONVERTED],
        "accuracy": "top-1 61%, top-5 84% on 1,000 ImageNet sample images, probably of the "
        "training set, with the classifier, which is not part of this file",
    },
}


def packaged(state: dict[str, Tensor], architecture: str) -> dict[str, Tensor]:
    """A state dict without classifier, its large tensors in float16.

    Batch norm and the early depthwise convolutions are small and stay as they are: rounding them
    would add most of the error (of MobileNetV2's features 1.4% on drawn images, instead of 0.2%)
    and save a twentieth of the file.

    Args:
        state: state dict of the architecture, with its classifier.
        architecture: name of a torchvision classifier.
    """
    state = dict(state)
    detach_head(get_model(architecture, weights=None), state)
    return {
        name: value.half() if value.is_floating_point() and value.numel() >= SMALL else value
        for name, value in state.items()
    }


def write(weights: Path, architecture: str, out: Path) -> dict[str, Any]:
    """Write the packaged file and, beside it, its description.

    Args:
        weights: float32 safetensors, with the classifier.
        architecture: key of `SOURCES`.
        out: file to write; the description has the same name with `.json`.

    Returns:
        The description.

    Raises:
        FileError: if the weights are not those that `SOURCES` names, or the file gets too large.
    """
    source = SOURCES[architecture]
    before = sha256_of(weights)
    if before != source["sha256"]:
        raise FileError(f"{weights}: sha256 {before[:12]}… is not the {source['sha256'][:12]}…")
    state = packaged(load_file(weights), architecture)
    with replacing(out) as draft, replacing(out.with_suffix(".json")) as beside:
        save_file({k: v.contiguous() for k, v in state.items()}, draft)
        size = draft.stat().st_size
        if size > LARGEST:
            raise FileError(f"{out}: {size} bytes are more than {LARGEST}")
        loaded = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
        description = {
            "command": "python -m data_scripts.probe.package_imagenet FOLDER",
            "architecture": architecture,
            "what": source["what"],
            "licence": source["licence"],
            "licence texts": "licences/, beside this file",
            "ImageNet": TERMS,
            "sources": source["sources"],
            "changes": [
                *source["changes"],
                "the classifier is left out",
                f"tensors of {SMALL} or more values are rounded to float16; loaded as float32",
            ],
            "accuracy": source["accuracy"],
            "input": "RGB in [0, 1], less (.485, .456, .406), divided by (.229, .224, .225)",
            "sha256 before": before,
            "sha256": sha256_of(draft),
            "sha256 of the state": state_sha256(loaded),
            "bytes": size,
        }
        beside.write_text(json.dumps(description, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return description


def main(
    folder: Annotated[Path, typer.Argument(help="folder that has the float32 weights")],
    out: Annotated[Path, typer.Option(help="file to write; a .json is written beside")] = (
        IMAGENET_WEIGHTS
    ),
) -> None:
    """Write the packaged weights and their description."""
    description = write(folder / f"{ARCHITECTURE}.safetensors", ARCHITECTURE, out)
    print(json.dumps(description, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    typer.run(main)
