"""Files of named tensors (safetensors) with a format, which appear whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from t2v._run.files import replacing
from t2v.errors import FileError


def write_tensors(
    path: str | Path, tensors: Mapping[str, Tensor], format: str, metadata: Mapping[str, str]
) -> None:
    """Write tensors and text to a safetensors file, whole or not at all.

    Args:
        path: the file; its folder must exist.
        tensors: tensors by name, on any device.
        format: name and version of what the file is.
        metadata: further texts by name.
    """
    contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with replacing(path) as draft:
        save_file(contiguous, draft, {"format": format, **metadata})


def read_tensors(path: str | Path, format: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read what `write_tensors` wrote.

    Args:
        path: the file.
        format: what the file must be.

    Returns:
        The tensors, on the CPU, and the texts.

    Raises:
        FileError: if the file is missing, damaged or of another format.
    """
    kind = format.rstrip("0123456789 ")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error
        raise FileError(f"{path}: not a readable {kind} ({reason})") from None
    if metadata.pop("format", None) != format:
        raise FileError(f"{path}: a safetensors file, but not a {kind}")
    return tensors, metadata
