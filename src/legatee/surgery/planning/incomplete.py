"""What is worth nothing by itself: norms and biases without a layer, counts, halves of a head."""

from legatee.plans.moves import Move
from legatee.surgery.network.catalog import Catalog
from legatee.surgery.network.names import module_of

Found = dict[str, Move | str]


def drop_strays(found: Found, target: Catalog) -> None:
    """Leave norms and biases without a layer, counts without a norm, and halves of a head.

    A bias belongs to its own layer; a norm to the layers whose rows make the channels it scales.

    Args:
        found: Target tensor -> its move or the reason why there is none; changed in place.
        target: Catalogue of the downstream network.
    """
    inherited = {name for name, made in found.items() if isinstance(made, Move)}
    makers: dict[int, frozenset[str]] = {}
    for name in sorted(inherited):
        if len(target.tensors[name].shape) == 1:
            rows: frozenset[str] = frozenset()
            for number in target.groups_along.get((name, 0), ()):
                if number not in makers:
                    makers[number] = target.makers(number)
                rows |= makers[number]
            beside = {n for n in _siblings(name, target) if n in rows}
            if rows and inherited.isdisjoint(beside or rows):
                found[name] = "no layer that makes its channels is inherited"
    _drop_halves(found, target)
    for name in sorted(inherited):
        if not target.tensors[name].shape:
            others = [n for n in _siblings(name, target) if target.tensors[n].shape]
            if others and not any(isinstance(found[n], Move) for n in others):
                found[name] = "nothing else of its module is inherited"


def _drop_halves(found: Found, target: Catalog) -> None:
    """Leave a head's bias where its weight is left, and its weight where its bias is."""
    for group in target.groups:
        if group.role == "class":
            names = {name for name, _ in group.members}
            missing = next((n for n in names if not isinstance(found[n], Move)), None)
            if missing is not None:
                for name in names:
                    if isinstance(found[name], Move):
                        found[name] = f"a head is inherited whole, and {missing!r} is not"


def _siblings(name: str, target: Catalog) -> list[str]:
    """Return the other tensors of a tensor's module."""
    return [n for n in target.modules[module_of(name)] if n != name]
