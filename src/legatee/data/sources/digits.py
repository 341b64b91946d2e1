"""Real hand-written digits, sketched on a canvas: scikit-learn's 1,797 images of 8x8 pixels.

Nothing that is held out is ever trained on: the images of every digit are divided once and for
all into the parts ``train`` (60 %) and ``test`` (40 %), and even the scraps that clutter a canvas
come from its own part.
"""

from dataclasses import dataclass
from functools import cache
from math import ceil
from re import fullmatch

import numpy as np
import torch
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch.nn.functional import interpolate

from legatee.data.examples import Examples
from legatee.errors import DataError
from legatee.specs import Range, read_options

MOST_PIXELS = 2**30  # of all canvases together, 4 GiB of memory [count]
PARTS = ("all", "train", "test")
TRAIN_SHARE = 0.6
SCRAP = 3  # side of a scrap of clutter [pixel]
SEED = Range(upper=2**63 - 1)
RANGES = {
    "n": Range(lower=1, upper=1_000_000),
    "canvas": Range(lower=8, upper=256),
    "size": Range(lower=4, upper=256),
    "shift": Range(upper=1),
    "clutter": Range(upper=100),
    "noise": Range(upper=100, whole=False),
    "invert": Range(upper=1),
    "label_noise": Range(upper=1, whole=False),
    "permute": SEED,
    "seed": SEED,
}


@dataclass(frozen=True, kw_only=True)
class Digits:
    """What to draw.

    Attributes:
        digits: The digits that are the classes, in the labels' order.
        part: Which real images: ``"train"``, ``"test"`` or ``"all"``.
        n: Examples, all real images of the part when ``None`` [count].
        canvas: Side of the square canvas; the digit's own, but at least 8, when ``None`` [pixel].
        size: Side that the 8x8 digit is resized to [pixel].
        shift: Whether the digit lies at a random place rather than in the centre [0 or 1].
        clutter: Scraps of other digits' images on each canvas [count].
        noise: Standard deviation of the pixels' Gaussian noise [of the pixels' range 0..1].
        invert: Whether black and white change places [0 or 1].
        label_noise: Share of the labels drawn anew, over all classes [fraction, 0..1].
        permute: Seed of one permutation of the pixels, the same for all canvases.
        seed: Seed of everything else.
    """

    digits: tuple[int, ...] = tuple(range(10))
    part: str = "all"
    n: int | None = None
    canvas: int | None = None
    size: int = 8
    shift: int = 0
    clutter: int = 0
    noise: float = 0.0
    invert: int = 0
    label_noise: float = 0.0
    permute: int | None = None
    seed: int = 0


def load(options: str, spec: str) -> Examples:
    """Draw the digits that a spec asks for.

    Args:
        options: Options as :func:`read_digits` reads them.
        spec: The whole spec, the examples' name.

    Returns:
        The examples.

    Raises:
        DataError: If a value cannot be used.
    """
    return draw_digits(read_digits(options), spec)


def read_digits(text: str) -> Digits:
    """Read the options of a ``digits:`` spec.

    Args:
        text: Options ``key=value,key=value``; ``""`` for the plain 8x8 images.

    Returns:
        What to draw.

    Raises:
        DataError: If a value cannot be used; key, value and range are named.

    Example:
        >>> read_digits("classes=5+7-9,n=50,noise=0.3").digits
        (5, 7, 8, 9)
    """
    known = {"classes": None, "part": None, **RANGES}
    values = read_options("digits", text, known, DataError)
    if "classes" in values:
        values["digits"] = _digits(values.pop("classes"))
    asked = Digits(**values)
    if asked.part not in PARTS:
        raise DataError(f"digits: cannot use part={asked.part}; give {' or '.join(PARTS)}")
    if asked.canvas is not None and asked.size > asked.canvas:
        raise DataError(
            f"digits: cannot use size={asked.size}; give at most the canvas, {asked.canvas}"
        )
    pixels = (asked.n or 1) * (asked.canvas or max(asked.size, 8)) ** 2
    if pixels > MOST_PIXELS:
        raise DataError(
            f"digits: n={asked.n} canvases have {pixels:,} pixels; expected at most "
            f"{MOST_PIXELS:,} in all, so give a smaller n or canvas"
        )
    return asked


def _digits(text: str) -> tuple[int, ...]:
    """Read digits written ``0-4`` or ``5+7+9``."""
    found: list[int] = []
    if fullmatch(r"[0-9](-[0-9])?(\+[0-9](-[0-9])?)*", text):
        for run in text.split("+"):
            found += range(int(run[0]), int(run[-1]) + 1)
    if len(found) < 2 or len(set(found)) < len(found):
        raise DataError(
            f"digits: cannot use classes={text}; give two or more of the digits 0..9, "
            "each once, as in 0-4 or 5+7+9"
        )
    return tuple(found)


def draw_digits(asked: Digits, name: str) -> Examples:
    """Draw digits on their canvases; the same request gives the same bits.

    Up to the part's number of real images each is used at most once, so that the examples are
    independent; beyond it, images come back with new places, clutter and noise.

    Args:
        asked: What to draw.
        name: What to call it.

    Returns:
        Canvases, float32 [n, 1, canvas, canvas], in random order, and their labels.
    """
    images, targets = _part(asked.part)
    entropy = SeedSequence([asked.seed, PARTS.index(asked.part)])
    choose, place, clutter, noise, label = (default_rng(s) for s in entropy.spawn(5))

    members = [np.flatnonzero(targets == digit) for digit in asked.digits]
    counts = _balance(asked.n, [len(m) for m in members])
    drawn = [_draw(m, count, choose) for m, count in zip(members, counts, strict=True)]
    order = choose.permutation(sum(counts))
    chosen = np.concatenate(drawn)[order]
    labels = np.repeat(np.arange(len(counts)), counts)[order]

    digits = _resized(images, asked.size)
    side = asked.canvas or max(asked.size, 8)
    canvases = np.zeros((len(chosen), side, side), dtype=np.float32)
    free = side - asked.size
    corners = np.full((len(chosen), 2), free // 2)
    if asked.shift:
        corners = place.integers(0, free + 1, size=corners.shape)
    _paste(canvases, digits[chosen], corners)
    for _ in range(asked.clutter):
        _paste(canvases, *_scraps(digits, chosen, side, clutter))
    if asked.invert:
        canvases = 1 - canvases
    if asked.noise:
        canvases += np.float32(asked.noise) * noise.standard_normal(canvases.shape, np.float32)
    if asked.permute is not None:
        shuffled = default_rng(asked.permute).permutation(side * side)
        canvases = canvases.reshape(-1, side * side)[:, shuffled].reshape(canvases.shape)
    redrawn = label.permutation(len(labels))[: round(asked.label_noise * len(labels))]
    labels[redrawn] = label.integers(len(counts), size=len(redrawn))
    return Examples(
        inputs=torch.from_numpy(canvases).unsqueeze(1),
        targets=torch.from_numpy(labels),
        class_names=tuple(str(digit) for digit in asked.digits),
        name=name,
    )


@cache
def _part(part: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the real images of a part, [count, 8, 8] in 0..1, and the digits they show."""
    real = load_digits()
    held = np.ones(len(real.target), dtype=bool)
    for digit in range(10):
        members = np.flatnonzero(real.target == digit)
        shuffled = default_rng(digit).permutation(members)  # fixed: the same for every request
        held[shuffled[: round(TRAIN_SHARE * len(members))]] = False
    keep = {"all": np.ones_like(held), "train": ~held, "test": held}[part]
    return (real.images[keep] / 16).astype(np.float32), real.target[keep].astype(np.int64)


def _balance(n: int | None, available: list[int]) -> list[int]:
    """Share ``n`` examples among the classes, evenly as long as their real images last."""
    if n is None:
        return available
    if n > sum(available):  # images come back: no class runs out
        available = [n] * len(available)
    level = n // len(available)
    while level < max(available) and sum(min(a, level + 1) for a in available) <= n:
        level += 1
    counts = [min(a, level) for a in available]
    unfilled = [i for i, a in enumerate(available) if a > level]
    for i in unfilled[: n - sum(counts)]:
        counts[i] += 1
    return counts


def _draw(members: NDArray[np.int64], count: int, rng: Generator) -> NDArray[np.int64]:
    """Draw ``count`` of the members, none again before all were drawn."""
    rounds = [rng.permutation(members) for _ in range(ceil(count / len(members)))]
    return np.concatenate([members[:0], *rounds])[:count]


def _resized(images: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return the images with sides of ``size`` pixels, their own bits when that is 8."""
    if size == images.shape[-1]:
        return images
    batch = torch.from_numpy(images).unsqueeze(1)
    new = interpolate(batch, size=(size, size), mode="bilinear", antialias=True)
    return new.squeeze(1).numpy()


def _scraps(
    digits: NDArray[np.float32], chosen: NDArray[np.int64], side: int, rng: Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Cut one scrap for each canvas out of another image, and choose where it goes."""
    n, size = len(chosen), digits.shape[-1]
    other = (chosen + rng.integers(1, len(digits), size=n)) % len(digits)
    cut = rng.integers(0, size - SCRAP + 1, size=(n, 2))
    rows, columns = _pixels(cut, SCRAP)
    return digits[other[:, None, None], rows, columns], rng.integers(0, side - SCRAP + 1, (n, 2))


def _paste(
    canvases: NDArray[np.float32], pieces: NDArray[np.float32], corners: NDArray[np.int64]
) -> None:
    """Lay a piece [n, s, s] on each canvas; where ink meets ink, the stronger stays."""
    rows, columns = _pixels(corners, pieces.shape[-1])
    where = np.arange(len(canvases))[:, None, None], rows, columns
    canvases[where] = np.maximum(canvases[where], pieces)


def _pixels(corners: NDArray[np.int64], side: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows [n, side, 1] and columns [n, 1, side] of the squares at these corners."""
    along = np.arange(side)
    return corners[:, :1, None] + along[:, None], corners[:, 1:, None] + along[None, :]
