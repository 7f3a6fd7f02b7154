"""Rescale the convolutions of the probe `synthetic` so that all layers have the same mean Fisher.

Batch norm undoes any factor on the convolution before it, so training leaves the scale of its
filters open; but the Fisher information per squared weight falls with the square of that factor.
Distances compare a filter with itself and do not depend on it. The norm of an embedding, a sum over
layers, does: as trained, the first layer is two thirds of it, and tells contrast more than
difficulty. Here every layer gets the same mean Fisher information over tasks of a training world;
the function of the network stays the same.

    python -m data_scripts.probe.equalise_layers FILE.safetensors

rescales a file in place; `data_scripts.probe.train` does so with the probe it has trained.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import typer
from safetensors.torch import load_file, save_file
from torch import Tensor

from t2v import load_library, load_probe, task2vec
from t2v._run.files import replacing
from t2v.libraries.worlds.creatures.evolution import FIRST_TRAINING_SEED

MAX_IMAGES = 60  # of a task


def layer_means(weights: Path, seed: int = FIRST_TRAINING_SEED) -> dict[str, float]:
    """Mean Fisher information of each layer's filters over small tasks of the world of a seed."""
    probe = load_probe("synthetic", weights=weights, device="cpu")
    tasks = [t for name in ("phylogeny", "wardrobe") for t in load_library(name, "smoke", seed)]
    embeddings = [task2vec(task, probe, passes=2, max_images=MAX_IMAGES) for task in tasks]
    mean = np.mean([e.fisher for e in embeddings], axis=0)
    return {layer: float(mean[where].mean()) for layer, where in embeddings[0].layers.items()}


def rescaled(state: dict[str, Tensor], means: dict[str, float]) -> dict[str, Tensor]:
    """Weights that give every layer the mean Fisher information of the layer with the least.

    Factors are at least 1, so that the epsilon of batch norm, which is not scaled, only loses
    weight.

    Args:
        state: state dict of the network.
        means: mean Fisher information of each layer.
    """
    state = dict(state)
    least = min(means.values())
    for layer, mean in means.items():
        factor = (mean / least) ** 0.5
        norm = layer.replace("downsample.0", "downsample.1").replace("conv", "bn")
        state[f"{layer}.weight"] = state[f"{layer}.weight"] * factor
        state[f"{norm}.running_mean"] = state[f"{norm}.running_mean"] * factor
        state[f"{norm}.running_var"] = state[f"{norm}.running_var"] * factor**2
    return state


def equalise(weights: Path) -> None:
    """Give all layers of a file the same mean Fisher information, in place."""
    state = rescaled(load_file(weights), layer_means(weights))
    with replacing(weights) as draft:
        save_file({name: value.contiguous() for name, value in state.items()}, draft)
        draft.chmod(0o644)


if __name__ == "__main__":
    typer.run(equalise)
