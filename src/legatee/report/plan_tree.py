"""The target network as a tree of named parts, each with what it inherits from where, and how."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from legatee.plans.plan import Move, TransferPlan, Untouched
from legatee.plans.receipt import TensorAccount, account

OPEN_MODULES = 24  # a network with more modules is shown with its stages folded
WAYS = {
    "bicubic": "resized (bicubic)",
    "sum": "input channels summed to one",
    "cycle": "input channels repeated in turn",
    "pad": "placed in the middle of a larger kernel",
    "divide": "divided among copies",
}

Rows = list[tuple[tuple[str, ...], "Part"]]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A tensor of the target network, or a module with the parts that it holds.

    Attributes:
        path: Its full name.
        name: Its name below the part that holds it.
        elements: Elements it has [count].
        inherited_elements: Elements of it that are inherited [count].
        shape: Its shape, ``None`` for a module.
        sources: The parts of the source it inherits from, ``""`` for the whole source.
        reasons: Why it, or what it holds, inherits nothing, each reason once.
        moves: What a tensor inherits, empty for a module.
        parts: What it holds, empty for a tensor.
        unfolded: Whether the picture starts with its parts shown.
    """

    path: str
    name: str
    elements: int
    inherited_elements: int
    shape: tuple[int, ...] | None
    sources: tuple[str, ...]
    reasons: tuple[str, ...]
    moves: tuple[Move, ...] = ()
    parts: tuple["Part", ...] = ()
    unfolded: bool = False

    @property
    def filled(self) -> float:
        """Share of its elements that is inherited [fraction, 0..1]."""
        return self.inherited_elements / max(self.elements, 1)

    @property
    def origin(self) -> str:
        """Where its values come from, or why nothing is inherited."""
        if not self.sources:
            return _some(self.reasons)
        if self.sources == (self.path,):
            return "same name"
        return f"from {_some([source or 'the whole source' for source in self.sources])}"

    @property
    def how(self) -> str:
        """How its values are computed from the source's; empty where nothing is inherited."""
        return ", ".join(self._ways)

    @property
    def _ways(self) -> tuple[str, ...]:
        own = ("copied" if move.blend is None else WAYS[move.blend.how] for move in self.moves)
        return _once([*own, *(way for part in self.parts for way in part._ways)])


def picture(plan: TransferPlan) -> tuple[Part, ...]:
    """Return the target network of a plan, part by part.

    Parts stand where their first tensor stands in the plan. A module that holds a single part is
    named together with it.

    Args:
        plan: The transfer to show.

    Returns:
        The outermost parts.
    """
    entries: dict[str, list[Move | Untouched]] = {}
    for entry in plan.entries:
        entries.setdefault(entry.target, []).append(entry)
    tensors = [_tensor(tensor, entries[tensor.target]) for tensor in account(plan)]
    modules = {tensor.path.rpartition(".")[0] for tensor in tensors}
    rows = [(tuple(tensor.path.split(".")), tensor) for tensor in tensors]
    return _grouped(rows, unfold=len(modules) <= OPEN_MODULES)


def _tensor(tensor: TensorAccount, entries: Sequence[Move | Untouched]) -> Part:
    """Return one tensor, with its entries in the plan, as a part without parts."""
    return Part(
        path=tensor.target,
        name=tensor.target,
        elements=tensor.size,
        inherited_elements=tensor.inherited_elements,
        shape=tensor.shape,
        sources=_once(tensor.sources),
        reasons=_once(entry.reason for entry in entries if isinstance(entry, Untouched)),
        moves=tuple(entry for entry in entries if isinstance(entry, Move)),
    )


def _grouped(rows: Rows, *, unfold: bool) -> tuple[Part, ...]:
    """Return tensors, given with their paths, as parts grouped by the first step of the path."""
    groups: dict[str, Rows] = {}
    for path, tensor in rows:
        groups.setdefault(path[0], []).append((path[1:], tensor))
    parts: list[Part] = []
    for name, inside in groups.items():
        parts += [replace(tensor, name=name) for path, tensor in inside if not path]
        deeper = [(path, tensor) for path, tensor in inside if path]
        held = _grouped(deeper, unfold=unfold)
        if len(held) == 1:
            parts.append(replace(held[0], name=f"{name}.{held[0].name}"))
        elif held:
            parts.append(_module(name, held, unfold=unfold))
    return tuple(parts)


def _module(name: str, held: tuple[Part, ...], *, unfold: bool) -> Part:
    """Return the module that holds these parts."""
    sources = [_above(source, part.name) for part in held for source in part.sources]
    return Part(
        path=held[0].path.removesuffix(held[0].name).rstrip("."),
        name=name,
        elements=sum(part.elements for part in held),
        inherited_elements=sum(part.inherited_elements for part in held),
        shape=None,
        sources=_once(sources),
        reasons=_once(reason for part in held for reason in part.reasons),
        parts=held,
        unfolded=unfold and any(part.parts for part in held),
    )


def _above(source: str, name: str) -> str:
    """Return the module that holds ``source``, as many steps up as ``name`` has; "" for all."""
    steps = source.split(".")
    return ".".join(steps[: max(len(steps) - name.count(".") - 1, 0)])


def _once(names: Iterable[str]) -> tuple[str, ...]:
    """Return each name once, in order."""
    return tuple(dict.fromkeys(names))


def _some(names: Sequence[str]) -> str:
    """Return as many names as a line has room for."""
    return ", ".join(names[:2]) + (" …" if len(names) > 2 else "")
