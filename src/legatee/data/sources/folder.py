"""``folder:PATH``: images in one subfolder for each class."""

import os
from pathlib import Path
from re import fullmatch

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from legatee.data.examples import Examples
from legatee.errors import DataError, listed
from legatee.specs import Range, read_options

SIZE = 64  # side of the images unless asked otherwise [pixel]
SPLITS = ("train", "training", "test", "testing", "val", "valid", "validation")
NO_IMAGES = ("thumbs.db", "desktop.ini", "__macosx")  # what file managers leave behind
MOST_PIXELS = 50_000_000  # of one image before it is resized; 150 MB of memory [count]


def load(options: str, spec: str) -> Examples:
    """Read RGB images, one subfolder per class, resized and centre-cropped to one size.

    Integer images of 16 or 32 bits are scaled from the range of their type to bytes, images of
    floating-point numbers from 0..1. Files of file managers and hidden files are left out.

    Args:
        options: ``PATH`` or ``PATH,size=64``.
        spec: The whole spec, the examples' name.

    Returns:
        Images, uint8 [n, 3, size, size], and their classes, in the order of the files' names.

    Raises:
        DataError: If there is no such folder, a class has no images, or a file is no image.
    """
    where, comma, last = options.rpartition(",")
    path, rest = (where, last) if comma and fullmatch(r"\w+=[^/]*", last) else (options, "")
    known = {"size": Range(lower=8, upper=1024)}
    size = read_options("folder", rest, known, DataError).get("size", SIZE)
    classes = _classes(path, spec)
    images, labels, unreadable = [], [], []
    for label, (name, files) in enumerate(classes.items()):
        if not files:
            raise DataError(f"{spec!r}: class {name!r} has no images")
        for file in files:
            try:
                images.append(_image(file, size))
                labels.append(label)
            except DataError as error:
                raise DataError(f"{spec!r}: {str(file)!r}: {error}") from error
            except Exception:  # decoders of damaged files raise whatever they stumble upon
                unreadable.append(str(file))
    if unreadable:
        raise DataError(
            f"{spec!r}: {len(unreadable):,} files cannot be read as images: "
            f"{listed(unreadable)}; remove or replace them"
        )
    return Examples(
        inputs=torch.from_numpy(np.stack(images)),
        targets=torch.tensor(labels),
        class_names=tuple(classes),
        name=spec,
    )


def _classes(path: str, spec: str) -> dict[str, list[Path]]:
    """Return the files of each class by the name of its folder."""
    root = Path(path).expanduser()
    try:
        if not path or not root.is_dir():
            raise DataError(f"{spec!r}: there is no folder {path!r}")
        folders = sorted(f for f in root.iterdir() if f.is_dir() and _is_wanted(f.name))
        classes = {folder.name: _files(folder) for folder in folders}
    except OSError as error:  # too long a path, or no permission
        raise DataError(f"{spec!r}: cannot read the folder: {error.strerror or error}") from error
    if not classes:
        raise DataError(f"{spec!r}: there are no classes; expected a subfolder of images for each")
    if parts := [name for name in classes if name.lower() in SPLITS]:
        raise DataError(
            f"{spec!r}: the subfolders are {', '.join(map(repr, classes))}, which are parts of a "
            f"data set and not classes; name one of them, such as folder:{root / parts[0]}"
        )
    return classes


def _files(folder: Path) -> list[Path]:
    """Return all files below a folder but hidden ones, sorted, however deep the folders are."""
    found: list[Path] = []
    folders = [folder]
    while folders:  # os.walk calls itself, and folders may be deeper than Python's stack
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if _is_wanted(entry.name):
                    (folders if entry.is_dir() else found).append(Path(entry.path))
    return sorted(found)


def _is_wanted(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in NO_IMAGES


def _image(file: Path, size: int) -> NDArray[np.uint8]:
    """Return an image [3, size, size] [0..255], upright as its camera was held."""
    with Image.open(file) as image:
        if image.width * image.height > MOST_PIXELS:
            raise DataError(
                f"it has {image.width} x {image.height} pixels; expected at most "
                f"{MOST_PIXELS:,} in all, so make it smaller first"
            )
        upright = _bytes(ImageOps.exif_transpose(image))
        fitted = ImageOps.fit(upright, (size, size), Image.Resampling.BILINEAR)
        return np.asarray(fitted).transpose(2, 0, 1)


def _bytes(image: Image.Image) -> Image.Image:
    """Return an image in RGB; pixels of more than 8 bits are scaled, not clipped."""
    if image.mode.startswith("I;16") or image.mode == "I":
        values = np.asarray(image).astype(np.float64)
        if values.min() < 0:
            raise DataError("its pixels are negative; expected whole numbers from 0 on")
        # Files of 16 bits, among them most PNGs, are opened in mode I too.
        most = 2**16 - 1 if values.max() < 2**16 else 2**31 - 1
        image = Image.fromarray(np.round(values * (255 / most)).astype(np.uint8))
    elif image.mode == "F":
        values = np.asarray(image)
        if not (values.min() >= 0 and values.max() <= 1):
            raise DataError(
                f"its pixels are numbers from {values.min():g} to {values.max():g}; expected 0..1"
            )
        image = Image.fromarray(np.round(values * 255).astype(np.uint8))
    return image.convert("RGB")
