"""``npz:PATH``: arrays of inputs and labels in a file of NumPy."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from legatee.data.examples import Examples
from legatee.errors import DataError

MOST_CLASSES = 100_000  # names are made for every class up to the largest label [count]
MOST_BYTES = 2**34  # of all arrays when unpacked, 16 GiB [byte]


def load(options: str, spec: str) -> Examples:
    """Read arrays; a file that would have to execute code to be read is refused.

    Images of uint16 [n, c, h, w] are scaled to bytes; all other numbers are kept as they are.

    Args:
        options: The path of the file.
        spec: The whole spec, the examples' name.

    Returns:
        The examples; whole-number labels are classes, others are numbers to predict.

    Raises:
        DataError: If there is no such file, it is damaged, or the arrays do not fit together.
    """
    arrays = _arrays(Path(options).expanduser(), spec)
    inputs = arrays.get("inputs", arrays.get("x"))
    labels = arrays.get("labels", arrays.get("y"))
    if inputs is None or labels is None:
        raise DataError(
            f"{spec!r}: the file holds {', '.join(map(repr, arrays)) or 'no arrays'}; "
            "expected 'inputs' (or 'x') and 'labels' (or 'y')"
        )
    if inputs.dtype.kind not in "buif" or labels.dtype.kind not in "uif" or not labels.ndim:
        raise DataError(
            f"{spec!r}: inputs are {inputs.dtype}, labels are {labels.dtype} of shape "
            f"{labels.shape}; expected real inputs, and whole numbers or real numbers as labels"
        )
    if inputs.dtype == np.uint16 and inputs.ndim == 4:
        inputs = np.round(inputs / 257).astype(np.uint8)
    images = inputs.dtype == np.uint8 and inputs.ndim == 4
    with np.errstate(over="ignore"):  # an overflow becomes infinite, and Examples says where
        inputs = inputs if images else inputs.astype(np.float32)
        whole = labels.dtype.kind in "ui"
        targets = labels.astype(np.int64 if whole else np.float32)
    return Examples(
        inputs=torch.from_numpy(np.ascontiguousarray(inputs)),
        targets=torch.from_numpy(targets),
        class_names=_class_names(arrays, labels, spec) if whole else None,
        name=spec,
    )


def _arrays(path: Path, spec: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file by name."""
    try:
        if not path.is_file():
            raise DataError(f"{spec!r}: there is no file {str(path)!r}")
        with path.open("rb") as file:
            _check_size(path, spec)
            opened = np.load(file, allow_pickle=False)
            if not isinstance(opened, NpzFile):
                raise ValueError("it holds one array without a name; write it with numpy.savez")
            arrays = {key: opened[key] for key in opened.files}
    except DataError:
        raise
    except Exception as error:  # damage shows in many ways: zip, zlib, headers, memory
        raise DataError(f"{spec!r}: this is no readable file of plain arrays: {error}") from error
    return {key: array for key, array in arrays.items() if isinstance(array, np.ndarray)}


def _check_size(path: Path, spec: str) -> None:
    """Refuse a file that would unpack to more than any memory holds."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    packed = path.stat().st_size
    if size > MOST_BYTES or (size > 2**30 and size > 100 * packed):
        raise DataError(
            f"{spec!r}: its {packed:,} bytes would unpack to {size:,}; expected at most "
            f"{MOST_BYTES:,} bytes, and at most 100 times its own size beyond 1 GiB"
        )


def _class_names(
    arrays: Mapping[str, NDArray[Any]], labels: NDArray[Any], spec: str
) -> tuple[str, ...]:
    """Return the names of the classes, their numbers where the file has none."""
    names = arrays.get("classes")
    if names is not None:
        if names.ndim != 1:
            raise DataError(f"{spec!r}: classes has shape {names.shape}; expected a list of names")
        return tuple(str(name) for name in names)
    largest = int(labels.max()) if labels.size else -1
    if largest >= MOST_CLASSES:
        raise DataError(
            f"{spec!r}: the largest label is {largest:,}; expected classes numbered from 0, "
            f"at most {MOST_CLASSES:,} of them"
        )
    return tuple(str(number) for number in range(largest + 1))
