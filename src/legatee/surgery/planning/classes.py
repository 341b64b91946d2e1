"""What becomes of classes: whether heads are the same, or which classes mean the same."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from legatee.errors import TransferError, UnknownNameError
from legatee.surgery.network.catalog import Catalog
from legatee.surgery.planning.drafted import Heads

Class = int | str  # its number, or its name where the names are known in their order
NAMED = 3  # pairs of classes that a warning names
SHOWN = 12  # names of classes that a refusal shows


@dataclass(frozen=True)
class Classes:
    """The classes that one of two networks shows.

    Attributes:
        side: Which network, as messages call it: ``"target"`` or ``"source"``.
        size: Classes there are [count].
        names: Their names in order, if they are known.

    Raises:
        TransferError: If there are more names than classes, or fewer.
    """

    side: str
    size: int
    names: Sequence[str] | None

    def __post_init__(self) -> None:
        if self.names is not None and len(self.names) != self.size:
            raise TransferError(
                f"{len(self.names)} names were given for the {self.size} classes of the {self.side}"
            )

    def number(self, given: Class) -> int:
        """Return the number of a class.

        Args:
            given: Its number or its name.

        Returns:
            Its number, counted from 0.

        Raises:
            TransferError: If it is not there, its name stands for several, or no names are known.
            UnknownNameError: If no class has that name.

        Example:
            >>> Classes("source", 3, ["ant", "bee", "cat"]).number("cat")
            2
        """
        if isinstance(given, str):
            return self._named(given)
        if not 0 <= given < self.size:
            some = f" ({', '.join(self.names[:SHOWN])})" if self.names else ""
            raise TransferError(
                f"the {self.side} has classes 0 to {self.size - 1}{some}, not {given}"
            )
        return given

    def _named(self, name: str) -> int:
        """Return the number of the one class of that name."""
        if self.names is None:
            keyword = "class_names" if self.side == "target" else "source_class_names"
            raise TransferError(
                f"class {name!r} of the {self.side} is a name; give {keyword}, the names of all "
                f"{self.size} classes in their order, or its number"
            )
        found = [number for number, known in enumerate(self.names) if known == name]
        if not found:
            raise UnknownNameError(f"class of the {self.side}", name, self.names)
        if len(found) > 1:
            both = " and ".join(map(str, found))
            raise TransferError(
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
        TransferError: If a class is not there, cannot be told from its name, or was given twice.
        UnknownNameError: If no class has a name that was given.

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
            raise TransferError(
                f"target class {number} was given twice, as {said[number]!r} and {to!r}"
            )
        said[number] = to
        found[number] = source.number(frm)
    return found


def heads(
    target: Classes | None,
    source: Classes | None,
    *,
    classes: Mapping[Class, Class] | None,
    same: bool,
    head: bool,
) -> tuple[Heads, list[str]]:
    """Settle what becomes of classes.

    Args:
        target: The target's classes; ``None`` if no one layer shows them.
        source: The source's, likewise.
        classes: Target class -> source class, numbers or names.
        same: Whether both have the same classes where neither ``classes`` nor names tell.
        head: Whether a head may be inherited without ``classes``.

    Returns:
        What may become of them, and what a reader should know of that, in sentences.

    Raises:
        TransferError: If no one layer shows classes, or one that was given is not there.
        UnknownNameError: If no class has a name that was given.

    Example:
        >>> ours, theirs = (Classes("", 2, names) for names in (["ant", "cow"], ["bee", "ant"]))
        >>> heads(ours, theirs, classes=None, same=True, head=True)[0].classes
        {0: 1}
    """
    if classes is not None:
        if target is None or source is None:
            raise TransferError("classes were given, but no one layer of a network shows them")
        return Heads(same=False, classes=same_meaning(classes, target, source)), []
    if not head:
        return Heads(same=False), []
    if target is None or source is None or target.names is None or source.names is None:
        return Heads(same=same), []
    if list(target.names) == list(source.names):
        return Heads(same=True), []
    found = {target.number(name): source.number(name) for name in _in_both(target, source)}
    if not found:
        why = "no class of the target has the name of one of the source"
        return Heads(same=False), [f"the head stays as it is: {why}"]
    pairs = [f"{target.names[to]!r}, {to} here and {frm} there" for to, frm in found.items()]
    said = f"{len(found)} of {target.size} classes of the target are the source's by name"
    return Heads(same=False, classes=found), [f"{said} ({'; '.join(pairs[:NAMED])})"]


def _in_both(target: Classes, source: Classes) -> list[str]:
    """Return the names that one class of each network has, and no other."""
    ours, theirs = Counter(target.names), Counter(source.names)
    return [name for name, times in ours.items() if times == theirs[name] == 1]


def classes_of(
    side: str, network: object, catalog: Catalog, given: Sequence[str] | None
) -> Classes | None:
    """Return the classes that a network shows, with their names where these are known.

    Args:
        side: Which network, as messages call it: ``"target"`` or ``"source"``.
        network: The network; those of ``transformers`` may carry names of classes.
        catalog: Its catalogue.
        given: Names in order, if any were given.

    Returns:
        The classes, or ``None`` if no one layer shows them.

    Raises:
        TransferError: If names were given, but of more or fewer classes than there are, or no
            one layer shows them.
    """
    sizes = [group.size for group in catalog.groups if group.role == "class"]
    if len(sizes) == 1:
        carried = _carried(network)
        fit = carried if len(carried) == sizes[0] else None  # else they are of another task
        return Classes(side, sizes[0], fit if given is None else given)
    if given is not None:
        raise TransferError(
            f"names of the {side}'s classes were given, but no one layer of it shows them"
        )
    return None


def _carried(network: object) -> list[str]:
    """Return the names of classes in a network's config, if it has any."""
    labels = getattr(getattr(network, "config", None), "id2label", None) or []
    numbered = labels if isinstance(labels, Mapping) else dict(enumerate(labels))
    known = {str(number): str(name) for number, name in numbered.items()}
    names = [known[number] for number in map(str, range(len(known))) if number in known]
    unnamed = names == [f"LABEL_{number}" for number in range(len(known))]  # the package's default
    return [] if unnamed or len(names) < len(known) else names
