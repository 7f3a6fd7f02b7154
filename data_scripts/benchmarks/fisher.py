"""Cost of the Fisher information of ResNet-18's filters, relative to a forward and backward pass.

    python -m data_scripts.benchmarks.fisher [--device cuda] [--threads 2] [--out FILE.csv]

All methods get the same images. They are run alternately, and the least of several times counts: on
one CPU thread processor time (which other programs on the machine do not prolong), else wall time.
`malloc` is configured not to return large temporaries to the system.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Callable

import pandas as pd
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet18

from t2v.book import tables
from t2v.fisher import filter_fisher

MALLOC = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "20000000000",
    "MALLOC_TOP_PAD_": "1000000000",
}
BASE = "plain forward and backward"
CLASSES = 10
COLUMNS = {
    "size": {"unit": "pixels", "meaning": "side of the images"},
    "images": {"unit": "images", "meaning": "number of images in a batch"},
    "method": {"unit": "", "meaning": "method of computing the Fisher information"},
    "seconds": {"unit": "s", "meaning": "least time for the batch over the repeats"},
    "ratio": {"unit": "1", "meaning": f"seconds over those of a {BASE} pass of the same batch"},
    "repeats": {"unit": "1", "meaning": "number of timed runs"},
}


def batch_mean_gradient(network: nn.Module, images: Tensor) -> list[Tensor]:
    """The authors' method: the square of the batch's mean gradient, labels drawn from the model."""
    network.zero_grad(set_to_none=True)
    logits = network(images)
    labels = torch.multinomial(logits.detach().softmax(1), 1).flatten()
    functional.cross_entropy(logits, labels).backward()
    return [p.grad.square() for p in network.parameters() if p.ndim == 4]


def per_image_gradients(network: nn.Module, images: Tensor) -> list[Tensor]:
    """Squared gradients of each image by torch.func, labels drawn from the model."""
    parameters = {name: p.detach() for name, p in network.named_parameters()}
    with torch.no_grad():
        labels = torch.multinomial(network(images).softmax(1), 1).flatten()

    def loss(weights, image, label):
        logits = torch.func.functional_call(network, weights, (image[None],))
        return functional.cross_entropy(logits, label[None])

    each = torch.func.vmap(torch.func.grad(loss), (None, 0, 0), chunk_size=gradient_batch(images))
    return [g.square().mean(0) for g in each(parameters, images, labels).values()]


def gradient_batch(images: Tensor) -> int:
    """Batch size of methods that hold the gradients of every image."""
    return 64 if images.is_cuda else 8


def backpack_sample(network: nn.Module, images: Tensor) -> Callable[[], None]:
    """BackPACK's diagonal of the Gauss-Newton matrix with one sampled label per image."""
    from backpack import backpack, extend
    from backpack.extensions import DiagGGNMC

    extended = extend(network, use_converter=True)
    loss = extend(nn.CrossEntropyLoss(reduction="sum"))
    labels = torch.zeros(len(images), dtype=torch.int64, device=images.device)

    def run():
        extended.zero_grad(set_to_none=True)
        with backpack(DiagGGNMC(mc_samples=1)):
            loss(extended(images), labels).backward()

    return run


def nngeometry_exact(network: nn.Module, images: Tensor) -> Callable[[], None]:
    """Nngeometry's diagonal Fisher matrix, all classes."""
    from nngeometry.metrics import FIM
    from nngeometry.object import PMatDiag
    from torch.utils.data import DataLoader, TensorDataset

    loader = DataLoader(TensorDataset(images, torch.zeros(len(images))), gradient_batch(images))
    return lambda: FIM(network, loader, PMatDiag, "classif_logits", device=images.device)


def methods(device: torch.device, images: Tensor) -> dict[str, tuple[Callable, int]]:
    """Functions to time, by name, and n for those (slow ones) that run only in every n-th round."""
    torch.manual_seed(0)
    network = resnet18(num_classes=CLASSES).eval().to(device)
    labels = torch.randint(CLASSES, (len(images),), device=device)

    def plain():
        network.zero_grad(set_to_none=True)
        functional.cross_entropy(network(images), labels).backward()

    def ours(estimator):
        return lambda: filter_fisher(network, images, estimator=estimator, batch_size=len(images))

    timed = {
        BASE: (plain, 1),
        "sketch, one pass": (ours("sketch"), 1),
        "sample, one pass": (ours("sample"), 1),
        f"exact, {CLASSES} classes": (ours("exact"), 2),
        "authors' way (batch mean, sampled labels)": (
            lambda: batch_mean_gradient(network, images),
            1,
        ),
        "torch.func vmap(grad), sampled labels": (lambda: per_image_gradients(network, images), 2),
    }
    others = {
        "BackPACK DiagGGNMC, one sample": ("backpack", backpack_sample),
        f"nngeometry PMatDiag, {CLASSES} classes": ("nngeometry", nngeometry_exact),
    }
    for name, (module, prepare) in others.items():
        if importlib.util.find_spec(module):
            fresh = resnet18(num_classes=CLASSES).eval().to(device)
            timed[name] = (prepare(fresh, images), 2)
        else:
            print(f"{name}: skipped, {module} is not installed")
    return timed


def least_times(device: torch.device, size: int, count: int, repeats: int) -> pd.DataFrame:
    """One row per method; the methods are run alternately.

    Args:
        device: device of network and images.
        size: side of the images in pixels.
        count: number of images.
        repeats: number of rounds.
    """
    torch.manual_seed(1)
    images = torch.randn(count, 3, size, size, device=device)
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    if device.type == "cuda":
        clock = time.perf_counter
    timed = methods(device, images)
    for run, _ in timed.values():
        run()  # warm-up
    times: dict[str, list[float]] = {name: [] for name in timed}
    for round_number in range(repeats):
        for name, (run, every) in timed.items():
            if round_number % every == 0:
                _synchronise(device)
                start = clock()
                run()
                _synchronise(device)
                times[name].append(clock() - start)
    frame = pd.DataFrame(
        {"method": name, "seconds": min(each), "repeats": len(each)} for name, each in times.items()
    )
    frame.insert(0, "size", size)
    frame.insert(1, "images", count)
    frame.insert(4, "ratio", frame["seconds"] / frame["seconds"][0])
    return frame


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    """Print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 96, 224])
    parser.add_argument("--images", type=int, nargs="+", default=[64, 64, 16])
    parser.add_argument("--out", help="table to write (.csv)")
    arguments = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in MALLOC.items()):
        command = [sys.executable, "-m", "data_scripts.benchmarks.fisher", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **MALLOC})
    torch.set_num_threads(arguments.threads)
    device, start = torch.device(arguments.device), time.perf_counter()
    torch.backends.cudnn.allow_tf32 = False  # all methods in full single precision
    parts = []
    for size, count in zip(arguments.sizes, arguments.images, strict=True):
        parts.append(least_times(device, size, count, arguments.repeats))
        table = Table(title=f"{size} px, {count} images, {device}, {arguments.threads} thread(s)")
        for title in ("method", "seconds", "ratio"):
            table.add_column(title, justify="left" if title == "method" else "right")
        for row in parts[-1].itertuples():
            table.add_row(row.method, f"{row.seconds:.3f}", f"{row.ratio:.2f}")
        Console().print(table)
    frame = pd.concat(parts, ignore_index=True)
    if arguments.out:
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
        tables.write(
            frame.round({"seconds": 4, "ratio": 3}),
            arguments.out,
            columns=COLUMNS,
            limits="One machine and one network (random weights, 10 classes, float32). On one CPU "
            "thread seconds are processor time; other programs ran beside it and share its caches. "
            "On a GPU convolutions without TF32.",
            seed=1,
            seconds=time.perf_counter() - start,
            device=f"{name}, {arguments.threads} thread(s)" if device.type == "cpu" else name,
        )


if __name__ == "__main__":
    main()
