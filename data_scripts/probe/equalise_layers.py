"""Fix what training leaves open in the probe `synthetic`: the scale of each convolution.

Batch norm undoes any factor on the convolution before it, so a network says nothing about the scale
of its filters; but the Fisher per squared weight falls with the square of that factor. Distances do
not notice (they compare a filter with itself). The norm of an embedding, a sum over layers, does:
as trained, the first layer is two thirds of it, and tells contrast more than difficulty. Here every
layer gets the same mean Fisher over tasks of the probe's own training worlds; the network's
function stays the same.

    python -m data_scripts.probe.equalise_layers FILE.safetensors

does it to a file in place; `data_scripts.probe.train` does it to what it has trained.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import typer
from safetensors.torch import load_file, save_file
from torch import Tensor

from t2v import load_library, load_probe, task2vec

FIRST_SEED = 10**6  # of the training worlds
MAX_IMAGES = 60


def layer_means(weights: Path, seed: int = FIRST_SEED) -> dict[str, float]:
    """Mean Fisher of each layer's filters over small tasks of a training world."""
    probe = load_probe("synthetic", weights=weights, device="cpu")
    tasks = [t for name in ("phylogeny", "wardrobe") for t in load_library(name, "smoke", seed)]
    embeddings = [task2vec(task, probe, passes=2, max_images=MAX_IMAGES) for task in tasks]
    mean = np.mean([e.fisher for e in embeddings], axis=0)
    return {layer: float(mean[where].mean()) for layer, where in embeddings[0].layers.items()}


def rescaled(state: dict[str, Tensor], means: dict[str, float]) -> dict[str, Tensor]:
    """Each convolution times a factor that makes its layer's mean Fisher that of the least one.

    Factors are at least 1, so that batch norm's epsilon, which does not scale along, only loses
    weight.
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
    """Gives all layers of a file the same mean Fisher, in place."""
    state = rescaled(load_file(weights), layer_means(weights))
    draft = weights.with_name(f".{weights.name}.part")
    save_file({name: value.contiguous() for name, value in state.items()}, draft)
    draft.chmod(0o644)
    os.replace(draft, weights)


if __name__ == "__main__":
    typer.run(equalise)
