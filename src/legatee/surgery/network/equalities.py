"""Equal channel identities, collected pair by pair and merged once at the end."""

from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor


@dataclass
class Equalities:
    """Pairs of equal identities.

    Attributes:
        count: Number of identities.
        pairs: Arrays of identities, equal element by element.
        heads: Identities that a batched matrix product couples to one block: attention heads.
        lost: Identities that could not be traced any further, and why.
    """

    count: int = 0
    pairs: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    heads: list[np.ndarray] = field(default_factory=list)
    lost: list[tuple[np.ndarray, str]] = field(default_factory=list)

    def fresh(self, size: int) -> Tensor:
        """Return ``size`` new identities."""
        self.count += size
        return torch.arange(self.count - size, self.count)

    def equate(self, a: Tensor, b: Tensor) -> None:
        """Note that two arrays of identities are equal, element by element after broadcasting."""
        a, b = torch.broadcast_tensors(a, b)
        self.pairs.append((a.reshape(-1).numpy(), b.reshape(-1).numpy()))

    def solve(self) -> np.ndarray:
        """Return a number for each identity; equal identities have the same one."""
        if not self.pairs:
            return np.arange(self.count)
        rows, columns = (np.concatenate(side) for side in zip(*self.pairs, strict=True))
        links = coo_array((np.ones(len(rows), bool), (rows, columns)), (self.count, self.count))
        return connected_components(links, directed=False)[1]
