"""What an advice is asked for, networks and data aside."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from legatee.advisor.arms import ARMS, SCRATCH, Arm
from legatee.document import Record
from legatee.errors import LegateeError


def _arms(value: Any) -> Any:
    """Read arms; ``None`` means the usual ones."""
    if value is None:
        return ARMS
    if isinstance(value, str | Arm | Mapping) or not isinstance(value, Iterable):
        raise LegateeError(f"arms is {value!r}; pass a list of legatee.Arm(name=..., method=...)")
    arms = tuple(value)
    for arm in arms:
        if not isinstance(arm, Arm):
            raise LegateeError(
                f"arms holds {arm!r}; pass legatee.Arm(name=..., method=Inherit(alpha=0.5)) for "
                "each arm"
            )
    return arms


def _seeds(value: Any) -> Any:
    """Read how many seeds, or which."""
    if isinstance(value, bool) or not isinstance(value, int | Iterable) or isinstance(value, str):
        raise LegateeError(f"seeds is {value!r}; pass how many, or a list of them")
    return tuple(range(value)) if isinstance(value, int) else tuple(value)


class AdviseOptions(Record):
    """What an advice is asked for, networks and data aside.

    Attributes:
        arms: What to compare with scratch; all, half and a quarter of the channels by default.
        seeds: How many paired trainings, or their seeds, at least two. More seeds at the same
            ``out`` continue the race: nothing is trained twice [count].
        margin: Gain that is too small to be worth the trouble, in units of the score; scores that
            are shares of correct examples lie in 0..1, so 0.01 is one percentage point [score].
        error_rate: Chance that any interval misses its true gain [fraction, 0..1].
        workers: Processes to train in, one thread each. More than one need functions that can be
            pickled, and a script that guards its start with ``if __name__ == "__main__"`` [count].
        source_class_names: Class names of the upstream network in its order; its classification
            head is inherited only for classes that the downstream data have, too.
        device: Where the built-in training loop trains; a GPU when there is one. Not together with
            a ``fit`` of your own.
        progress: Whether to report progress on standard error.
        about: What the caller can say better than the arguments do, by field of
            :class:`legatee.advice.Provenance`, such as ``{"data": "..."}``.
    """

    arms: Annotated[tuple[Arm, ...], BeforeValidator(_arms)] = ARMS
    seeds: Annotated[tuple[int, ...], BeforeValidator(_seeds)] = (0, 1, 2, 3, 4)
    margin: float = 0.01
    error_rate: float = 0.05
    workers: int = 1
    source_class_names: tuple[str, ...] | None = None
    device: str | None = None
    progress: bool = True
    about: dict[str, str] = Field(default_factory=dict)


def advise_options(options: AdviseOptions | None, overrides: Mapping[str, Any]) -> AdviseOptions:
    """Return options with some of them changed.

    Args:
        options: The options to start from; the defaults if ``None``.
        overrides: Values by name of the option.

    Returns:
        The options.

    Raises:
        LegateeError: If there is no such option, or a value is out of its range.

    Example:
        >>> advise_options(None, {"seeds": 3}).seeds
        (0, 1, 2)
    """
    base = options or AdviseOptions()
    given = {name: getattr(base, name) for name in AdviseOptions.model_fields} | dict(overrides)
    try:
        asked = AdviseOptions(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            known = ", ".join(AdviseOptions.model_fields)
            raise LegateeError(
                f"advise() has no option {name!r}; the options are {known}"
            ) from None
        message = first["msg"].replace("Input", "it", 1)
        raise LegateeError(f"{name} is {given[name]!r}, and {message}") from error
    _check(asked)
    return asked


def _check(asked: AdviseOptions) -> None:
    """Refuse what no race could answer."""
    names = [SCRATCH.name, *(arm.name for arm in asked.arms)]
    if len(names) < 2:
        raise LegateeError("arms is empty; pass at least one arm to compare with scratch")
    if len(set(names)) < len(names):
        raise LegateeError(
            f"arms are called {', '.join(names[1:])}; expected different names, none of them "
            f"{SCRATCH.name!r}"
        )
    for arm in asked.arms:
        if arm.is_scratch:
            raise LegateeError(f"arm {arm.name!r} inherits nothing; scratch is always compared")
        if getattr(getattr(arm.method, "options", None), "alpha", 1.0) == 0:
            raise LegateeError(f"arm {arm.name!r} has alpha=0 and inherits nothing; pass more")
    if len(set(asked.seeds)) < max(2, len(asked.seeds)) or min(asked.seeds) < 0:
        raise LegateeError(
            f"seeds are {list(asked.seeds)}; expected at least two different ones, from 0"
        )
    if not 0 < asked.error_rate < 1:
        raise LegateeError(f"error_rate is {asked.error_rate}; expected a share between 0 and 1")
    if not 0 <= asked.margin < float("inf"):
        raise LegateeError(f"margin is {asked.margin}; expected a gain that is not negative")
    if asked.workers < 1:
        raise LegateeError(f"workers is {asked.workers}; expected at least one")
