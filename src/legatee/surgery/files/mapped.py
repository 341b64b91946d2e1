"""Files of the ``.safetensors`` format, one or several with an index, read a tensor at a time."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from legatee.disk import path_status
from legatee.errors import CheckpointError
from legatee.surgery.files.digest import FIELD, file_digest

INDEX = ".safetensors.index.json"  # end of the name of an index of several files


class MappedWeights(Mapping[str, Tensor]):
    """Tensors of ``.safetensors`` files, mapped into memory when they are asked for.

    Args:
        file: A ``.safetensors`` file or the index of several.
        check: Whether the weights in files that carry a digest are compared with it.

    Raises:
        CheckpointError: If a file is missing or is not what the index says, holds no tensors, or
            differs from its digest.
        Exception: Whatever damaged headers provoke in the package that reads them.
    """

    def __init__(self, file: Path, *, check: bool):
        self._files: dict[str, Any] = {}
        parts = _parts(file) if file.name.endswith(INDEX) else {file: None}
        for path, names in parts.items():
            part = safe_open(path, framework="pt")
            present = part.keys()
            if missing := set(names or ()) - set(present):
                raise CheckpointError(f"{str(path)!r} lacks {min(missing)!r} of its index")
            self._files |= dict.fromkeys(present if names is None else names, part)
            for name in present if names is None else names:
                part.get_tensor(name)  # a type that PyTorch does not know fails now, not later
            expected = (part.metadata() or {}).get(FIELD)
            if check and expected is not None and file_digest(path) != expected:
                raise CheckpointError(
                    f"{str(path)!r} is damaged: its weights were changed since legatee wrote "
                    "them (they do not have the digest that the file carries); write it again"
                )
        if not self._files:
            raise CheckpointError(f"{str(file)!r} holds no tensors")

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, name: str) -> Tensor:
        return self._files[name].get_tensor(name)


def _parts(index: Path) -> dict[Path, list[str] | None]:
    """Return the files that an index names, all in its folder, with the tensors in each."""
    parts: dict[Path, list[str] | None] = {}
    names: list[str] | None
    for name, file in json.loads(index.read_text(encoding="utf-8"))["weight_map"].items():
        if Path(file).name != file or not file.endswith(".safetensors"):
            raise CheckpointError(
                f"{str(index)!r} names the file {file!r}; expected .safetensors files in the same "
                "folder"
            )
        names = parts.setdefault(index.parent / file, [])
        if names is not None:
            names.append(name)
    for path in parts:
        if not (status := path_status(path)).is_file:
            raise CheckpointError(
                f"{str(index)!r} names {path.name!r}, which is missing: "
                f"{status.problem or 'it is not a file'}"
            )
    return parts
