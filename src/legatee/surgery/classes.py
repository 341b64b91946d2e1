"""What becomes of classes: whether heads are the same, or which classes mean the same."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from legatee.errors import TransferRefused, UnknownName
from legatee.surgery.catalog import Catalog
from legatee.surgery.draft import Heads

Class = int | str  # its number, or its name where the names are known in their order


@dataclass(frozen=True)
class Classes:
    """The classes that one of two networks shows.

    Attributes:
        side: Which network, as messages call it: ``"target"`` or ``"source"``.
        size: Classes there are [count].
        names: Their names in order, if they are known.

    Raises:
        TransferRefused: If there are more names than classes, or fewer.
    """

    side: str
    size: int
    names: Sequence[str] | None

    def __post_init__(self) -> None:
        if self.names is not None and len(self.names) != self.size:
            raise TransferRefused(
                f"{len(self.names)} names were given for the {self.size} classes of the {self.side}"
            )

    def number(self, given: Class) -> int:
        """Return the number of a class.

        Args:
            given: Its number or its name.

        Returns:
            Its number, counted from 0.

        Raises:
            TransferRefused: If it is not there, its name stands for several, or no names are known.
            UnknownName: If no class has that name.

        Example:
            >>> Classes("source", 3, ["ant", "bee", "cat"]).number("cat")
            2
        """
        if isinstance(given, str):
            return self._named(given)
        if not 0 <= given < self.size:
            raise TransferRefused(f"the {self.side} has classes 0 to {self.size - 1}, not {given}")
        return given

    def _named(self, name: str) -> int:
        """Return the number of the one class of that name."""
        if self.names is None:
            keyword = "class_names" if self.side == "target" else "source_class_names"
            raise TransferRefused(
                f"class {name!r} of the {self.side} is a name; give {keyword}, the names of all "
                f"{self.size} classes in their order, or its number"
            )
        found = [number for number, known in enumerate(self.names) if known == name]
        if not found:
            raise UnknownName(f"class of the {self.side}", name, self.names)
        if len(found) > 1:
            both = " and ".join(map(str, found))
            raise TransferRefused(
                f"{name!r} is the name of classes {both} of the {self.side}; give the number"
            )
        return found[0]


def same_meaning(
    classes: Mapping[Class, Class], target: Classes, source: Classes
) -> dict[int, int]:
    """Read which classes of a target mean the same as which of a source.

    Args:
        classes: Target class -> source class, numbers or names.
        target: The target's classes.
        source: The source's.

    Returns:
        Target number -> source number.

    Raises:
        TransferRefused: If a class is not there, cannot be told from its name, or was given twice.
        UnknownName: If no class has a name that was given.

    Example:
        >>> pets = Classes("target", 2, ["cat", "dog"])
        >>> same_meaning({"cat": 281}, pets, Classes("source", 1000, None))
        {0: 281}
    """
    said: dict[int, Class] = {}
    found = {}
    for to, frm in classes.items():
        number = target.number(to)
        if number in said:
            raise TransferRefused(
                f"target class {number} was given twice, as {said[number]!r} and {to!r}"
            )
        said[number] = to
        found[number] = source.number(frm)
    return found


def heads(
    source: Catalog,
    target: Catalog,
    same: bool,
    classes: Mapping[Class, Class] | None,
    names: Iterable[Sequence[str] | None],
) -> Heads:
    """Settle what becomes of classes.

    Args:
        source: Catalogue of the upstream network.
        target: Catalogue of the downstream network.
        same: Whether both are taken to have the same classes where none are given.
        classes: Target class -> source class, numbers or names.
        names: Names of the target's classes and of the source's, in order, where they are known.

    Returns:
        What may become of them.

    Raises:
        TransferRefused: If no one layer shows classes, or one that was given is not there.
        UnknownName: If no class has a name that was given.
    """
    if classes is None:
        return Heads(same=same)
    sides = []
    for side, catalog, known in zip(("target", "source"), (target, source), names, strict=True):
        sizes = [group.size for group in catalog.groups if group.role == "class"]
        if len(sizes) != 1:
            raise TransferRefused("classes were given, but no one layer of a network shows them")
        sides.append(Classes(side, sizes[0], known))
    return Heads(same=False, classes=same_meaning(classes, *sides))


def names_of(network: object, given: Sequence[str] | None) -> Sequence[str] | None:
    """Return the names of a network's classes: those that were given, or those it carries itself.

    Args:
        network: A network; those of ``transformers`` have ``config.id2label``.
        given: Names in order, if any were given.

    Returns:
        The names in order, or ``None``.
    """
    labels = getattr(getattr(network, "config", None), "id2label", None)
    if given is not None or labels is None:
        return given
    return [labels[number] for number in sorted(labels)]
