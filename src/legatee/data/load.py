"""Data by name: real digits, folders of images, files of arrays; the door to disk of this wing."""

from pathlib import Path
from re import fullmatch

import numpy as np
import torch
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray
from PIL import Image, ImageOps

from legatee.data.digits import draw_digits, read_digits
from legatee.data.examples import Examples, as_examples, batch, split, take
from legatee.disk import NO_SUCH_FILE, PathStatus, path_status
from legatee.errors import DataError, UnknownNameError, listed
from legatee.specs import Range, read_options

__all__ = ["Examples", "as_examples", "batch", "load_data", "split", "take"]

KINDS = ("digits", "folder", "npz")
SIZE = 64  # side of a folder's images unless asked otherwise [pixel]


def load_data(spec: str) -> Examples:
    """Return the examples that a spec names; the same spec gives the same bits.

    Args:
        spec: ``digits:OPTIONS`` (see :class:`legatee.data.digits.Digits`),
            ``folder:PATH[,size=64]`` with a sub-folder of images for each class, or ``npz:PATH``
            with arrays ``inputs`` (or ``x``), ``labels`` (or ``y``) and perhaps ``classes``.

    Returns:
        The examples, named by their spec.

    Raises:
        UnknownNameError: If the kind or an option is not known.
        DataError: If a value is out of range, or the data are missing, unreadable or unfit.

    Example:
        >>> load_data("digits:classes=0-4,n=20,canvas=16").inputs.shape
        torch.Size([20, 1, 16, 16])
    """
    kind, _, rest = spec.partition(":")
    if kind == "digits":
        return draw_digits(read_digits(rest), spec)
    if kind == "folder":
        return _folder(rest, spec)
    if kind == "npz":
        return _npz(Path(rest), spec)
    raise UnknownNameError("kind of data", kind, KINDS)


def _folder(rest: str, name: str) -> Examples:
    """Read one sub-folder per class: RGB images, resized and centre-cropped to one size."""
    where, comma, last = rest.rpartition(",")
    path, options = (where, last) if comma and fullmatch(r"\w+=[^/]*", last) else (rest, "")
    known = {"size": Range(lower=8, upper=1024)}
    size = read_options("folder", options, known, DataError).get("size", SIZE)
    root = Path(path)
    status = path_status(root)
    if not path or not status.is_folder:
        raise DataError(f"{name!r}: there is no folder {path!r}{_why(status)}")
    try:
        folders = sorted(d for d in root.iterdir() if d.is_dir() and not d.name.startswith("."))
    except OSError as error:
        raise DataError(f"{name!r}: cannot read the folder: {error.strerror}") from error
    if not folders:
        raise DataError(f"{name!r}: no classes; give a sub-folder of images for each class")
    images, labels, unreadable = [], [], []
    for label, folder in enumerate(folders):
        files = sorted(f for f in folder.rglob("[!.]*") if f.is_file())
        if not files:
            raise DataError(f"{name!r}: class {folder.name!r} has no images")
        for file in files:
            try:
                images.append(_image(file, size))
                labels.append(label)
            except Exception:  # decoders of damaged files raise whatever they stumble upon
                unreadable.append(str(file))
    if unreadable:
        raise DataError(
            f"{name!r}: {len(unreadable):,} files cannot be read as images: {listed(unreadable)}"
        )
    return Examples(
        inputs=torch.from_numpy(np.stack(images)),
        labels=torch.tensor(labels),
        classes=tuple(folder.name for folder in folders),
        name=name,
    )


def _image(file: Path, size: int) -> NDArray[np.uint8]:
    """Return an image [3, size, size] [0..255], upright as its camera was held."""
    with Image.open(file) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
        fitted = ImageOps.fit(upright, (size, size), Image.Resampling.BILINEAR)
        return np.asarray(fitted).transpose(2, 0, 1)


def _npz(path: Path, name: str) -> Examples:
    """Read arrays; a file that would have to execute code to be read is refused."""
    if not (status := path_status(path)).is_file:
        raise DataError(f"{name!r}: there is no file {str(path)!r}{_why(status)}")
    try:
        with path.open("rb") as file:
            held = np.load(file, allow_pickle=False)
            if not isinstance(held, NpzFile):
                raise ValueError("it holds one array without a name")
            arrays = {key: held[key] for key in held.files}
    except Exception as error:  # of what damage does: zip, zlib, headers, memory
        raise DataError(f"{name!r}: not a readable file of plain arrays: {error}") from error
    arrays = {key: array for key, array in arrays.items() if isinstance(array, np.ndarray)}
    inputs = arrays.get("inputs", arrays.get("x"))
    labels = arrays.get("labels", arrays.get("y"))
    if inputs is None or labels is None:
        raise DataError(
            f"{name!r}: holds {', '.join(map(repr, arrays)) or 'no arrays'}; "
            "give 'inputs' (or 'x') and 'labels' (or 'y')"
        )
    if inputs.dtype.kind not in "buif" or labels.dtype.kind not in "ui" or labels.ndim != 1:
        raise DataError(
            f"{name!r}: inputs are {inputs.dtype}, labels {labels.dtype} {labels.shape}; "
            "give real numbers, and whole numbers of one axis"
        )
    classes = arrays.get("classes", range(int(labels.max(initial=-1)) + 1))
    images = inputs.dtype == np.uint8 and inputs.ndim == 4
    with np.errstate(over="ignore"):  # an overflow becomes infinite, and Examples says where
        inputs = inputs if images else inputs.astype(np.float32)
    return Examples(
        inputs=torch.from_numpy(inputs),
        labels=torch.from_numpy(labels.astype(np.int64)),
        classes=tuple(str(c) for c in classes),
        name=name,
    )


def _why(status: PathStatus) -> str:
    """Say what keeps a path from being found, where it is not simply missing."""
    return "" if status.problem in ("", NO_SUCH_FILE) else f": {status.problem}"
