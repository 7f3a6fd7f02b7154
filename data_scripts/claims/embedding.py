"""The paper's claims about the embedding, measured on drawn worlds of given seeds.

    python -m data_scripts.claims.embedding --seeds 100 101 102 103 104 --out FILE.csv

The table has one row per seed and claim, with the level that the claim must reach. It is written
after every seed; seeds that it has already are not run again. The chapters on Figs. 1 and 2 show
the means over seeds with their intervals.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from data_scripts.claims.resume import continued
from t2v import evaluation, load_library, load_probe
from t2v.book import tables
from t2v.book.provenance import device_name
from t2v.distances import DEFAULT_PRIOR, distance_matrix
from t2v.evaluation import same_group_rate as same_group
from t2v.many_tasks import embed_tasks, held_out_errors
from t2v.probe import Probe

# claim: its statement, and the level that its mean over seeds must reach
CLAIMS = {
    "phylogeny_same_class": ("nearest order is of the same class", 0.70),
    "aviary_same_class": ("nearest phylogeny order is of the birds' class", 0.80),
    "wardrobe_times_chance": ("nearest attribute of the same group, times chance", 2.0),
    "phylogeny_norm_error": ("Spearman of norm and test error, phylogeny", 0.60),
    "wardrobe_norm_error": ("Spearman of norm and test error, wardrobe", 0.60),
}


def measure(
    seed: int, scale: str, probe: Probe, priors: list[float]
) -> Iterator[tuple[str, float, float]]:
    """Claim, prior of the distance, and value in the world of one seed.

    Args:
        seed: seed of the world.
        scale: scale of its libraries.
        probe: probe of the embeddings.
        priors: priors of the distance to measure with.
    """
    embeddings, errors = {}, {}
    for name in ("phylogeny", "aviary", "wardrobe"):
        library = load_library(name, scale, seed)
        embeddings[name] = embed_tasks(library.tasks, probe, progress=True)
        if name != "aviary":
            errors[name] = held_out_errors(library.tasks, probe)
    orders, birds, attributes = (embeddings[n] for n in ("phylogeny", "aviary", "wardrobe"))
    groups = {name: [e.group for e in part] for name, part in embeddings.items()}

    for prior in priors:
        of_orders = distance_matrix(orders, prior=prior)
        yield "phylogeny_same_class", prior, same_group(of_orders, groups["phylogeny"]).rate
        of_birds = distance_matrix(birds, orders, prior=prior)
        rate = same_group(of_birds, groups["aviary"], groups["phylogeny"])
        yield "aviary_same_class", prior, rate.rate
        rate = same_group(distance_matrix(attributes, prior=prior), groups["wardrobe"])
        yield "wardrobe_times_chance", prior, rate.rate / rate.chance
        for name in ("phylogeny", "wardrobe"):
            norms = [e.norm for e in embeddings[name]]
            correlation = evaluation.spearman_interval(norms, errors[name]).value
            yield f"{name}_norm_error", prior, correlation


def main() -> None:
    """Measure the claims, print them, and write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 101, 102, 103, 104])
    parser.add_argument("--scale", default="laptop")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--priors", type=float, nargs="+", default=[DEFAULT_PRIOR])
    parser.add_argument("--out", type=Path, help="table to write (.csv)")
    arguments = parser.parse_args()
    probe = load_probe("synthetic", device=arguments.device)
    made = {"scale": arguments.scale, "device": device_name(probe.device), "probe": probe.sha256}
    frames, seconds = continued(parser, arguments.out, made)
    by_seed = [pair for frame in frames for pair in frame.groupby("seed").prior]
    done = {seed for seed, priors in by_seed if set(arguments.priors) <= set(priors)}
    for seed in arguments.seeds:
        if seed in done:
            continue
        started, rows = time.time(), []
        for claim, prior, value in measure(seed, arguments.scale, probe, arguments.priors):
            rows.append([seed, claim, value, CLAIMS[claim][1], prior])
            print(f"seed {seed}  {claim:24} prior {prior:<5g} {value:6.3f}", flush=True)
        frames.append(pd.DataFrame(rows, columns=["seed", "claim", "value", "level", "prior"]))
        seconds += time.time() - started
        if arguments.out:
            rows = pd.concat(frames, ignore_index=True)
            write(rows, arguments.out, seconds, made)
    print_means(pd.concat(frames, ignore_index=True))


def print_means(frame: pd.DataFrame) -> None:
    """Print the mean of each claim over seeds, with Student's interval."""
    if frame.seed.nunique() < 2:
        return
    for (claim, prior), part in frame.groupby(["claim", "prior"], sort=False):
        mean, (statement, level) = evaluation.mean_interval(part.value), CLAIMS[claim]
        print(
            f"{statement}, prior {prior:g}: {mean.value:.3f} [{mean.low:.3f}, {mean.high:.3f}], "
            f"level {level}"
        )


def write(frame: pd.DataFrame, path: Path, seconds: float, made: Mapping[str, str]) -> None:
    """Write the rows of all seeds so far.

    Args:
        frame: one row per seed, claim and prior.
        path: path of the table.
        seconds: computing time of all rows.
        made: further entries of the sidecar.
    """
    tables.write(
        frame,
        path,
        columns={
            "seed": {"unit": "", "meaning": "seed of the world"},
            "claim": {
                "unit": "",
                "meaning": "; ".join(f"{k}: {v[0]}" for k, v in CLAIMS.items()),
            },
            "value": {"unit": "share, ratio or rank correlation", "meaning": "measured value"},
            "level": {"unit": "as value", "meaning": "level that the mean over seeds must reach"},
            "prior": {"unit": "layer means", "meaning": "prior of the distance; no part of norms"},
        },
        limits="synthetic worlds; the probe was trained on worlds of other seeds",
        seed=sorted({int(seed) for seed in frame.seed}),
        seconds=seconds,
        **made,
    )


if __name__ == "__main__":
    main()
