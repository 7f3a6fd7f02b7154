"""Libraries that are drawn: creatures that evolved, and garments by attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from t2v.task import Task


def provenance(title: str, tasks: list[Task], scale: str, seed: int) -> dict[str, Any]:
    """The provenance of a drawn library, with the keys that `t2v.libraries.Library` lists.

    Args:
        title: what is drawn.
        tasks: its tasks; those on the same tensor of images count them once.
        scale: scale of the library.
        seed: seed of the world.
    """
    distinct = {id(task.images): task for task in tasks}.values()
    return {
        "title": f"{title}, drawn by t2v.libraries.worlds",
        "licence": "CC BY 4.0",
        "scale": scale,
        "seed": seed,
        "tasks": len(tasks),
        "images": sum(len(task) for task in distinct),
        "held_out": sum(int(task.held_out_mask.sum()) for task in distinct),
        "pixels": tasks[0].images[0].shape[-1],
        "skipped": [],
    }
