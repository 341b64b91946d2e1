"""How many elements of a target its channel groups can inherit from each source group."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.groups import may_take
from legatee.surgery.planning.resize import grows


@dataclass(frozen=True)
class GroupScores:
    """Counts the elements of a target that its channel groups can inherit from source groups.

    Attributes:
        source: Catalogue of the upstream network.
        target: Catalogue of the downstream network.
        tensors: Target tensor -> source tensor.
        pad_kernels: Whether a kernel may be placed in the middle of a larger one.
    """

    source: Catalog
    target: Catalog
    tensors: Mapping[str, str]
    pad_kernels: bool

    def elements_at_stake(self, number: int) -> Counter[int]:
        """Count the elements that a target group could inherit from each of its candidates.

        Args:
            number: Number of the target group.

        Returns:
            Source group -> elements of the tensors through which both groups run [count].
        """
        elements: Counter[int] = Counter()
        for name, axis in self.target.groups[number].members:
            if name in self.movable:
                for candidate in self.candidates[number, name, axis]:
                    elements[candidate] += self.movable[name]
        return elements

    def elements_filled(
        self, target_group: int, source_group: int, chosen: Mapping[int, int]
    ) -> int:
        """Count the elements that one choice fills, given the choices for all other groups.

        Args:
            target_group: Number of the target group.
            source_group: Number of the source group that it would inherit from.
            chosen: Target group -> source group, for all others.

        Returns:
            Elements of the tensors through which the target group runs [count].
        """
        choices = {**chosen, target_group: source_group}
        names = {name for name, _ in self.target.groups[target_group].members}
        return sum(
            self.movable[name]
            for name in names
            if name in self.movable and self._is_filled(name, choices)
        )

    @cached_property
    def candidates(self) -> dict[tuple[int, str, int], tuple[int, ...]]:
        """The source groups that could fill a target group along each axis of its tensors."""
        return {
            (number, name, axis): self._candidates(number, name, axis)
            for number, group in enumerate(self.target.groups)
            for name, axis in group.members
            if name in self.movable
        }

    def _candidates(self, number: int, name: str, axis: int) -> tuple[int, ...]:
        """Return the source groups along one axis whose roles and block widths fit."""
        group = self.target.groups[number]
        target_groups = self.target.groups_along[name, axis]
        member = self.tensors[name], axis
        source_groups = tuple(
            n
            for n in self.source.groups_along.get(member, ())
            if may_take(group, self.source.groups[n])
        )
        if len(target_groups) == len(source_groups):  # concatenated groups correspond in order
            source_groups = (source_groups[target_groups.index(number)],)
        width = group.members[name, axis].shape[1]
        return tuple(
            n for n in source_groups if self.source.groups[n].members[member].shape[1] == width
        )

    @cached_property
    def movable(self) -> dict[str, int]:
        """Elements of each target tensor that could come from the source, where any could."""
        return {name: count for name in self.tensors if (count := self._movable(name))}

    def _movable(self, name: str) -> int:
        """Count the elements of a tensor that could come from the source."""
        target, source = self.target.tensors[name], self.source.tensors[self.tensors[name]]
        if len(target.shape) != len(source.shape):
            return 0
        sizes = list(target.shape)
        for axis, size in enumerate(target.shape):
            if (name, axis) in self.target.groups_along or size == source.shape[axis]:
                continue
            if not (self.pad_kernels and grows(target, source, axis)):
                return 0
            sizes[axis] = source.shape[axis]  # the zeros around a smaller kernel do not count
        return prod(sizes)

    def feeds_inherited_layer(
        self, target_group: int, source_group: int, chosen: Mapping[int, int]
    ) -> bool:
        """Tell whether a source's output layer may fill a hidden layer of the target.

        The last layer of a backbone is a hidden layer in a larger network, and may. A head that
        merely has the name of a hidden layer may not: nothing before that layer is inherited.

        Args:
            target_group: Number of the target group.
            source_group: Number of the source group that it would inherit from.
            chosen: Target group -> source group, for all others.

        Returns:
            Whether layers before it are inherited; also if both groups have the same role.
        """
        if self.target.groups[target_group].role == self.source.groups[source_group].role:
            return True
        makers = self.target.makers[target_group]
        axes = ((name, 1 - self.target.tensors[name].output_axis) for name in makers)
        inputs = {n for axis in axes for n in self.target.groups_along.get(axis, ())}
        return not inputs or any(
            self.target.groups[n].role == "input"
            or any(
                name in self.movable and self._is_filled(name, chosen)
                for name in self.target.makers[n] - makers
            )
            for n in inputs
        )

    def _is_filled(self, name: str, chosen: Mapping[int, int]) -> bool:
        """Tell whether some chosen groups run through both tensors, along each coupled axis."""
        return all(
            any(
                chosen.get(number) in self.candidates[number, name, axis]
                for number in self.target.groups_along[name, axis]
            )
            for axis in range(len(self.target.tensors[name].shape))
            if (name, axis) in self.target.groups_along
        )
