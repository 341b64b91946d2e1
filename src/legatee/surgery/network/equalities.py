"""What a trace finds out about channel identities, collected step by step and solved at the end."""

from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor


@dataclass
class Equalities:
    """Equal identities, and what else is known of them.

    Attributes:
        count: Number of identities.
        pairs: Arrays of identities, equal element by element.
        heads: Identities that a batched matrix product couples to one block: attention heads.
        shared: Identities [rows, n] of which every row meets the same n others [n], as the heads of
            an attention meet one scale for each of their columns.
        fixed: Identities that meet a constant, or a position of the input: their place has a
            meaning.
        held: Identities that an operation may mix, the operation, and whether it has no rule.
        parts: Identities that are normalised in so many groups of neighbours.
    """

    count: int = 0
    pairs: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    heads: list[np.ndarray] = field(default_factory=list)
    shared: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    fixed: list[np.ndarray] = field(default_factory=list)
    held: list[tuple[np.ndarray, str, bool]] = field(default_factory=list)
    parts: list[tuple[np.ndarray, int]] = field(default_factory=list)

    def fresh(self, size: int, *, fixed: bool = False) -> Tensor:
        """Return ``size`` new identities."""
        self.count += size
        ids = torch.arange(self.count - size, self.count)
        if fixed:
            self.fixed.append(ids.numpy())
        return ids

    def equate(self, a: Tensor, b: Tensor) -> None:
        """Note that two arrays of identities are equal, element by element after broadcasting."""
        a, b = torch.broadcast_tensors(a, b)
        self.pairs.append((a.reshape(-1).numpy(), b.reshape(-1).numpy()))

    def solve(self) -> np.ndarray:
        """Return a number for each identity; equal identities have the same one.

        Where every row of some identities is one channel, as an attention head is, what all rows
        share stays whole, and the rows may be inherited one by one. Elsewhere the rows are equal.
        """
        pending = self.shared
        while True:
            classes = self._components()
            whole = [bool((classes[rows] == classes[rows[:, :1]]).all()) for rows, _ in pending]
            if all(whole):
                break
            for (rows, ids), is_whole in zip(pending, whole, strict=True):
                if not is_whole:
                    self.equate(torch.from_numpy(rows), torch.from_numpy(ids))
            pending = [pair for pair, is_whole in zip(pending, whole, strict=True) if is_whole]
        if not pending:
            return classes
        for _, ids in pending:
            self.pairs.append((ids[1:], ids[:-1]))
        return self._components()

    def _components(self) -> np.ndarray:
        """Number the identities by the equalities alone."""
        if not self.pairs:
            return np.arange(self.count)
        rows, columns = (np.concatenate(side) for side in zip(*self.pairs, strict=True))
        links = coo_array((np.ones(len(rows), bool), (rows, columns)), (self.count, self.count))
        return connected_components(links, directed=False)[1]
