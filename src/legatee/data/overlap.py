"""Which held-out examples are training examples too, found by their content."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from legatee.data.datasets import Data, inputs_of

THUMB = 8  # side of the small grey copies by which resized images are recognised [pixel]
FARTHEST = 0.2  # mean difference beyond which two such copies are of two images [of a deviation]
CLEARLY = 0.5  # a copy is nearer to its image than to any other by this factor, or more
FLAT = 1e-3  # an image of a smaller deviation has nothing to be recognised by
PAIRS = 2_000_000  # differences computed at a time [count]


def overlap(train: Data, held_out: Data) -> list[tuple[int, int]]:
    """Find held-out inputs that are training inputs too, also images at another size.

    Images of another size are compared as grey copies of 8 by 8 pixels with mean 0 and deviation
    1. One is taken for a copy of a training image that is near, and at least twice as near as any
    other training image. All other inputs are compared bit for bit.

    Args:
        train: The training examples.
        held_out: The held-out examples.

    Returns:
        Pairs of a held-out example and the training example that it equals [count from 0].
    """
    known, new = inputs_of(train), inputs_of(held_out)
    rows: dict[bytes, int] = {}
    for i, value in enumerate(known):
        rows.setdefault(value.numpy().tobytes(), i)
    pairs: dict[int, int] = {}
    if known.shape[1:] == new.shape[1:]:
        found = ((j, rows.get(value.numpy().tobytes())) for j, value in enumerate(new))
        pairs = {j: i for j, i in found if i is not None}
    if known.ndim == new.ndim == 4 and len(known) > 1 and known.shape[-2:] != new.shape[-2:]:
        pairs |= _resized(known, new)
    return sorted(pairs.items())


def _resized(known: Tensor, new: Tensor) -> dict[int, int]:
    """Pair images with copies of themselves at another size."""
    small, other = _thumbs(known), _thumbs(new)
    pairs = {}
    step = max(PAIRS // max(len(small), 1), 1)
    for begin in range(0, len(other), step):
        part = other[begin : begin + step]
        distances = torch.cdist(part, small, p=1) / small.shape[1]
        nearest, which = distances.topk(2, largest=False)
        alike = (nearest[:, 0] < FARTHEST) & (nearest[:, 0] < CLEARLY * nearest[:, 1])
        for j in (alike & part.any(1)).nonzero().flatten().tolist():
            pairs[begin + j] = int(which[j, 0])
    return pairs


def _thumbs(images: Tensor) -> Tensor:
    """Return small grey copies of mean 0 and deviation 1; zeros for images without contrast."""
    small = interpolate(images.mean(1, keepdim=True), (THUMB, THUMB), mode="area").flatten(1)
    small = small - small.mean(1, keepdim=True)
    deviation = small.std(1, keepdim=True)
    return torch.where(deviation > FLAT, small / deviation.clamp(min=FLAT), 0)
