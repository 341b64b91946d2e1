"""What a transfer is asked to do: every choice that is not data."""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError

from legatee.document import Record
from legatee.errors import TransferError

Class = int | str
Criterion = Callable[..., Any]
"""A selection rule of the user's own: ``criterion(network, catalog, data)`` returns an array of
scores for each channel group, or ``None`` for a group that it cannot score [size of the group]."""


def _names(value: object) -> object:
    """Read a single name as a tuple of one, so that a text is not read letter by letter."""
    return (value,) if isinstance(value, str) else value


def _rule(value: object) -> object:
    """Read the channels that a mapping lists for each layer as tuples."""
    if isinstance(value, Mapping):
        return {layer: tuple(channels) for layer, channels in value.items()}
    return value


def _named(rule: object) -> object:
    """Write a callable rule by its name; a text, or channels by layer, as they are."""
    return f"custom:{rule.__module__}.{rule.__qualname__}" if callable(rule) else rule  # type: ignore[attr-defined]


def _pairs(value: object) -> object:
    """Read a class map as JSON holds it: pairs, because the keys of JSON objects are texts."""
    if not isinstance(value, list | tuple):
        return value
    if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in value):
        return value
    return {pair[0]: pair[1] for pair in value}


def _as_pairs(classes: Mapping[Class, Class] | None) -> list[list[Class]] | None:
    return None if classes is None else [list(pair) for pair in classes.items()]


ClassMap = Annotated[
    dict[Class, Class] | None,
    BeforeValidator(_pairs),
    PlainSerializer(_as_pairs, when_used="json-unless-none"),
]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Rule = Annotated[
    str | dict[str, tuple[int, ...]] | Criterion, BeforeValidator(_rule), PlainSerializer(_named)
]


class PlanOptions(Record):
    """Everything that a plan is asked for, data aside; a plan keeps the options it was made with.

    Attributes:
        alpha: Share of each channel group of the target that is inherited, a half channel rounded
            up; the other channels keep their initial values [fraction, 0..1].
        rule: Which source channels are inherited: the name of a selection rule, such as
            ``"uniform"``, ``"largest"`` or ``"active"``
            (``legatee.surgery.planning.rules.summaries()`` and ``legatee plan --help`` list all);
            a mapping of source layer -> its output channels; or a function
            ``criterion(network, catalog, data)`` that returns, for each channel group of the
            catalogue, a score for each channel, or ``None`` for a group that it cannot score.
        match: ``None`` aligns equal names, stages and blocks, prefixes aside; ``"first:k"``,
            ``"last:k"``, ``"spaced:k"`` take these k blocks of a deeper network; ``"roles"`` pairs
            layers of the same kind, kernel size and stage by position, without consistent
            channels; a mapping of target module or tensor -> source module or tensor copies
            nothing else.
        include: Modules, tensors or patterns of the target that may inherit; all if empty.
        exclude: Modules, tensors or patterns of the target that must not inherit.
        class_map: Target class -> source class, by number or name, such as ``{"cat": 281}``; the
            classification head inherits these classes and no others.
        class_names: Names of the target's classes in order, by which ``class_map`` may call them.
        source_class_names: Names of the source's classes in order, such as torchvision's
            ``weights.meta["categories"]``. Without ``class_map``, classes of equal names match.
        threshold: Share of the examples on which a channel must be above zero for the rule
            ``"active"`` [fraction, 0..1].
        seed: Seed of the rule ``"random"``; each channel group draws from its own generator, whose
            seed is this one mixed with the name of the group's first tensor [>= 0].
        head: Whether the classification head may be inherited. Without ``class_map`` and class
            names it is inherited only between equal architectures, whose classes are then assumed
            to be the same.
        pad_kernels: Whether a convolution kernel may be placed in the middle of a larger one, such
            as 1x1 into 3x3, surrounded by zeros.
        grow: ``"clone"`` fills a target that is larger than the source with copies of the source's
            channels and divides the weights that read them, so that the target computes what the
            source computes; without it the channels that the source lacks keep their initial
            values.
        uneven_copies: How unevenly the copies of a channel share the weights that read it. Above 0
            the copies get different gradients and become different in training, while the output
            is the same; at 0 they remain equal [fraction, 0..1).

    Example:
        >>> PlanOptions(alpha=0.5, include="layer1").include
        ('layer1',)
    """

    alpha: float = Field(default=1.0, ge=0, le=1)
    rule: Rule = "uniform"
    match: str | dict[str, str] | None = None
    include: Names = ()
    exclude: Names = ()
    class_map: ClassMap = None
    class_names: tuple[str, ...] | None = None
    source_class_names: tuple[str, ...] | None = None
    threshold: float = Field(default=0.5, ge=0, le=1)
    seed: int = Field(default=0, ge=0)
    head: bool = True
    pad_kernels: bool = False
    grow: Literal["clone"] | None = None
    uneven_copies: float = Field(default=0.0, ge=0, lt=1)

    def __hash__(self) -> int:
        """Return a hash of the options as they are written, because mappings have none."""
        return hash(self.model_dump_json())

    @property
    def rule_name(self) -> str:
        """The rule in a word: its name, ``"given"`` for channels by layer, or ``"custom:NAME"``."""
        if isinstance(self.rule, Mapping):
            return "given"
        return self.rule if isinstance(self.rule, str) else str(_named(self.rule))


def plan_options(options: PlanOptions | None, overrides: Mapping[str, Any]) -> PlanOptions:
    """Return options with some of them changed.

    Args:
        options: The options to start from; the defaults if ``None``.
        overrides: Values by name of the option.

    Returns:
        The options.

    Raises:
        TransferError: If there is no such option, or a value is out of its range.

    Example:
        >>> plan_options(None, {"alpha": 0.5}).alpha
        0.5
    """
    base = options or PlanOptions()
    given = {name: getattr(base, name) for name in PlanOptions.model_fields} | dict(overrides)
    try:
        return PlanOptions(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "options"
        if first["type"] == "extra_forbidden":
            known: Iterable[str] = PlanOptions.model_fields
            raise TransferError(
                f"plan() has no option {name!r}; the options are {', '.join(known)}"
            ) from error
        value = overrides.get(name, given.get(name))
        message = first["msg"].replace("Input", "it", 1)
        raise TransferError(f"cannot plan with {name}={value!r}: {message}") from error
