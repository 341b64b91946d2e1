"""One of the two tasks of a setting: its data, and how a network is trained on it."""

from collections.abc import Mapping
from dataclasses import dataclass

from legatee.world.quantity import TASK, TRAINING, Quantity


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task and its training (Definitions 3.1 and 3.2).

    Attributes:
        n: Training samples [count, >= 1].
        v_norm: Norm of the task-specific signal v_k [signal, >= 0].
        sigma_p: Noise level of a patch [signal, > 0].
        m: Filters per sign, the setting's if ``None`` [count, >= 1].
        eta: Learning rate, the setting's if ``None`` [1/signal^2, > 0].
        steps: Steps of gradient descent, the setting's if ``None`` [count, >= 1].

    Raises:
        SettingError: If a value is out of its range; field, value and range are named.

    Example:
        >>> Task(n=100, v_norm=3.0, sigma_p=1.0).steps is None
        True
    """

    n: int
    v_norm: float
    sigma_p: float
    m: int | None = None
    eta: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        check_fields(self, TASK)
        check_fields(self, {k: q for k, q in TRAINING.items() if getattr(self, k) is not None})


@dataclass(frozen=True, kw_only=True)
class ResolvedTask:
    """A task with everything that its training takes from the setting filled in.

    Attributes:
        n: Training samples [count].
        v_norm: Norm of the task-specific signal v_k [signal].
        sigma_p: Noise level of a patch [signal].
        m: Filters per sign [count].
        eta: Learning rate.
        steps: Steps of gradient descent [count].
    """

    n: int
    v_norm: float
    sigma_p: float
    m: int
    eta: float
    steps: int


def check_fields(record: object, quantities: Mapping[str, Quantity]) -> None:
    """Check that every field is in its range, and make it a plain number.

    Args:
        record: A frozen record that is being made; its fields are changed in place.
        quantities: The quantities of its fields, by name.

    Raises:
        SettingError: If a value is out of its range; field, value and range are named.
    """
    for name, quantity in quantities.items():
        object.__setattr__(record, name, quantity.check(name, getattr(record, name)))
