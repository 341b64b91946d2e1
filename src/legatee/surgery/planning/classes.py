"""Classes: whether both heads have the same ones, or which class corresponds to which."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from legatee.errors import TransferError, UnknownNameError
from legatee.surgery.network.catalog import Catalog
from legatee.surgery.planning.drafted import Heads

Class = int | str  # number, or name where the names of all classes are known
NAMED = 3  # pairs of classes that a warning names
LISTED = 12  # names of classes that an error lists


@dataclass(frozen=True)
class Classes:
    """The classes of a network's classification head.

    Attributes:
        side: Which network, as messages call it: ``"target"`` or ``"source"``.
        size: Number of classes [count].
        names: Names of the classes in order, if they are known.

    Raises:
        TransferError: If there are more names than classes, or fewer.
    """

    side: str
    size: int
    names: Sequence[str] | None

    def __post_init__(self) -> None:
        if self.names is not None and len(self.names) != self.size:
            raise TransferError(
                f"{self.keyword} has {len(self.names)} names, but the {self.side} has {self.size} "
                "classes"
            )

    @property
    def keyword(self) -> str:
        """The option that names the classes."""
        return "class_names" if self.side == "target" else "source_class_names"

    def number(self, label: Class) -> int:
        """Return the number of a class.

        Args:
            label: Number or name of the class.

        Returns:
            The number, counted from 0.

        Raises:
            TransferError: If there is no class of that number, the name is that of several
                classes, or no names are known.
            UnknownNameError: If no class has that name.

        Example:
            >>> Classes("source", 3, ["ant", "bee", "cat"]).number("cat")
            2
        """
        if isinstance(label, str):
            return self._number_of_name(label)
        if not 0 <= label < self.size:
            names = f" ({', '.join(self.names[:LISTED])})" if self.names else ""
            raise TransferError(
                f"class_map: the {self.side} has classes 0 to {self.size - 1}{names}, not {label}"
            )
        return label

    def _number_of_name(self, name: str) -> int:
        """Return the number of the one class of that name."""
        if self.names is None:
            raise TransferError(
                f"class_map: the names of the {self.side}'s classes are not known, so {name!r} is "
                f"no class; pass {self.keyword}, the names of all {self.size} classes in order, or "
                "the number of the class"
            )
        numbers = [number for number, known in enumerate(self.names) if known == name]
        if not numbers:
            raise UnknownNameError(f"class of the {self.side}", name, self.names)
        if len(numbers) > 1:
            several = " and ".join(map(str, numbers))
            raise TransferError(
                f"class_map: {name!r} is the name of classes {several} of the {self.side}; pass "
                "the number of one of them"
            )
        return numbers[0]


def same_meaning(
    classes: Mapping[Class, Class], target: Classes, source: Classes
) -> dict[int, int]:
    """Read which class of a target corresponds to which class of a source.

    Args:
        classes: Target class -> source class, numbers or names.
        target: Classes of the target.
        source: Classes of the source.

    Returns:
        Target number -> source number.

    Raises:
        TransferError: If there is no such class, its name is ambiguous, or a target class occurs
            twice.
        UnknownNameError: If no class has one of the names.

    Example:
        >>> pets = Classes("target", 2, ["cat", "dog"])
        >>> same_meaning({"cat": 281}, pets, Classes("source", 1000, None))
        {0: 281}
    """
    labels: dict[int, Class] = {}
    numbers = {}
    for target_class, source_class in classes.items():
        number = target.number(target_class)
        if number in labels:
            raise TransferError(
                f"class_map has target class {number} twice, as {labels[number]!r} and "
                f"{target_class!r}"
            )
        labels[number] = target_class
        numbers[number] = source.number(source_class)
    return numbers


def heads(
    target: Classes | None,
    source: Classes | None,
    *,
    classes: Mapping[Class, Class] | None,
    same: bool,
    head: bool,
) -> tuple[Heads, list[str]]:
    """Decide which classes of a head are inherited.

    Args:
        target: Classes of the target; ``None`` if it has no single output layer.
        source: Classes of the source; ``None`` likewise.
        classes: Target class -> source class, numbers or names.
        same: Whether both are assumed to have the same classes where neither ``classes`` nor
            names decide.
        head: Whether a head may be inherited without ``classes``.

    Returns:
        What may be inherited, and what the reader of a plan should know about it, in sentences.

    Raises:
        TransferError: If ``classes`` cannot be read, or a network has no single output layer.
        UnknownNameError: If no class has one of the names.

    Example:
        >>> target, source = Classes("target", 2, ["ant", "cow"]), Classes("", 2, ["bee", "ant"])
        >>> heads(target, source, classes=None, same=True, head=True)[0].classes
        {0: 1}
    """
    if classes is not None:
        if target is None or source is None:
            side = "target" if target is None else "source"
            raise TransferError(
                f"class_map cannot be used: the {side} has no single output layer with classes"
            )
        return Heads(same=False, classes=same_meaning(classes, target, source)), []
    if not head:
        return Heads(same=False), []
    if target is None or source is None or target.names is None or source.names is None:
        return Heads(same=same), []
    if list(target.names) == list(source.names):
        return Heads(same=True), []
    numbers = {target.number(name): source.number(name) for name in _common(target, source)}
    if not numbers:
        return Heads(same=False), [
            "the head is not inherited: no class of the target has the name of one of the source"
        ]
    pairs = [
        f"{target.names[t]!r} is {t} in the target, {s} in the source" for t, s in numbers.items()
    ]
    more = "; ..." if len(pairs) > NAMED else ""
    return Heads(same=False, classes=numbers), [
        f"{len(numbers)} of the target's {target.size} classes have the same name in the source "
        f"and are inherited ({'; '.join(pairs[:NAMED])}{more})"
    ]


def _common(target: Classes, source: Classes) -> list[str]:
    """Return the names that exactly one class of each network has."""
    target_counts, source_counts = Counter(target.names), Counter(source.names)
    return [name for name, times in target_counts.items() if times == source_counts[name] == 1]


def classes_of(
    side: str, network: object, catalog: Catalog, names: Sequence[str] | None
) -> Classes | None:
    """Return the classes of a network's head, with their names where these are known.

    Args:
        side: Which network, as messages call it: ``"target"`` or ``"source"``.
        network: The network; the config of one of ``transformers`` may name its classes.
        catalog: Catalogue of the network.
        names: Names of the classes in order; those of the network's config if ``None``.

    Returns:
        The classes, or ``None`` if there is no single output layer.

    Raises:
        TransferError: If ``names`` are more or fewer than the classes, or there is no single
            output layer.
    """
    sizes = [group.size for group in catalog.groups if group.role == "class"]
    if len(sizes) == 1:
        of_config = _names_in_config(network)
        fitting = of_config if len(of_config) == sizes[0] else None  # else of another task
        return Classes(side, sizes[0], fitting if names is None else names)
    if names is not None:
        raise TransferError(
            f"{Classes(side, 0, None).keyword} cannot be used: the {side} has no single output "
            "layer with classes"
        )
    return None


def earlier_scores(target: Catalog, source: Catalog, groups: Mapping[int, int]) -> frozenset[int]:
    """Find channels before the output that are scores of classes, as in decoders that add scores.

    Networks with different numbers of classes have such channels where each has as many channels
    as classes, no nonlinearity follows them, and only layers that make scores read them.

    Args:
        target: Catalogue of the target.
        source: Catalogue of the source.
        groups: Target group -> the source group that it takes its channels from.

    Returns:
        Numbers of such groups of the target.
    """
    classes, source_classes = _number_of_classes(target), _number_of_classes(source)
    if classes is None or source_classes is None or classes == source_classes:
        return frozenset()
    scores, source_scores = _scores(target, classes), _scores(source, source_classes)
    return frozenset(number for number in scores if groups.get(number) in source_scores)


def _number_of_classes(catalog: Catalog) -> int | None:
    """Return the number of classes of a network with a single output layer."""
    sizes = [group.size for group in catalog.groups if group.role == "class"]
    return sizes[0] if len(sizes) == 1 else None


def _scores(catalog: Catalog, classes: int) -> set[int]:
    """Return the hidden groups that are scores of as many classes, from the output backwards."""
    active = {name for use in catalog.uses if use.activation for name in use.reads.values()}
    found = {number for number, group in enumerate(catalog.groups) if group.role == "class"}
    rest = {n for n, g in enumerate(catalog.groups) if g.role == "hidden" and g.size == classes}
    hidden: set[int] = set()
    while True:
        more = {n for n in rest if _is_read_by(found | hidden, n, active, catalog)}
        if not more:
            return hidden
        hidden |= more
        rest -= more


def _is_read_by(scores: set[int], number: int, active: set[str], catalog: Catalog) -> bool:
    """Tell whether only layers that make scores read a group, right behind the layers it is of."""
    outputs: list[tuple[str, int]] = []
    for name, axis in catalog.groups[number].members:
        made_along = catalog.tensors[name].output_axis
        if axis != made_along:
            outputs.append((name, made_along))
        elif name in active:
            return False
    made = {group for axis in outputs for group in catalog.groups_along.get(axis, ())}
    return bool(made) and made <= scores


def _names_in_config(network: object) -> list[str]:
    """Return the names of classes in a network's config, if it has any."""
    labels = getattr(getattr(network, "config", None), "id2label", None) or []
    numbered = labels if isinstance(labels, Mapping) else dict(enumerate(labels))
    known = {str(number): str(name) for number, name in numbered.items()}
    names = [known[number] for number in map(str, range(len(known))) if number in known]
    unnamed = names == [f"LABEL_{number}" for number in range(len(known))]  # the package's default
    return [] if unnamed or len(names) < len(known) else names
