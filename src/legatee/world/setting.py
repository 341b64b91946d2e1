"""One point of the model world: two tasks, two networks, and what is inherited between them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

from legatee.errors import SettingError, UnknownNameError
from legatee.rounding import inherited_count
from legatee.world.quantity import QUANTITIES, TRAINING, brief
from legatee.world.task import ResolvedTask, Task, check_fields

RULES = ("random", "selected", "active")
TASKS = ("upstream", "downstream")  # in the order of ``Setting.resolved``
Value = int | float | str


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One point of the model world.

    An upstream network is trained on the upstream task. Of each sign, ``inherited_filters`` of
    the downstream network's ``m`` filters are copied from it, the others drawn anew; then all of
    them are trained on the downstream task (Algorithm 1). ``alpha * m`` is rounded to the nearest
    whole number, halves up. Counts go up to 1e15, other numbers from 1e-30 to 1e30 (norms may
    be 0), so that what is computed of them is finite.

    Attributes:
        d: Patch dimension; u, v1 and v2 are orthogonal [count, >= 3].
        m: Filters per sign [count, >= 1].
        u_norm: Norm of the universal signal u [signal, >= 0].
        upstream: Task 1; its own ``m``, ``eta`` and ``steps`` override the setting's.
        downstream: Task 2, likewise.
        alpha: Inheritance ratio [fraction, 0..1].
        eta: Learning rate [1/signal^2, > 0].
        sigma_0: Initial scale of the weights [1/signal, > 0].
        steps: Steps of gradient descent [count, >= 1].
        noise_signal_correlation: Share of its standard deviation that noise keeps along u and
            v_k; beyond the paper [fraction, 0..1].
        label_noise: Chance that a training label of either task is flipped; test labels are
            clean; beyond the paper [fraction, 0..0.5].
        weight_decay: Each step also subtracts ``eta * weight_decay`` times the weights; beyond
            the paper [>= 0].
        l2_sp: In the downstream trainings, scratch's too, each step also subtracts ``eta *
            l2_sp`` times how far the weights are from their start: inherited filters from what
            was inherited, fresh ones from their draw (L2-SP: Li, Grandvalet and Davoine 2018,
            arXiv 1802.01483); beyond the paper [>= 0].
        inherit: Which upstream filters: ``random`` (Algorithm 1), ``selected`` (most signal for
            noise on the downstream task, from the true decomposition) or ``active`` (the authors'
            rule: the most active on downstream samples, none below ``active_threshold``).
        active_threshold: Share of the downstream samples that a filter must be active on to be
            inherited when ``inherit`` is ``active`` [fraction, 0..1].

    Raises:
        SettingError: If a value is out of its range, or more filters would be inherited than
            the upstream network has.

    Example:
        >>> setting = Setting(d=2000, m=20, u_norm=2.0, alpha=0.33, eta=0.1, sigma_0=1e-4,
        ...                   steps=200, upstream=Task(n=1000, v_norm=3.0, sigma_p=1.0),
        ...                   downstream=Task(n=40, v_norm=2.0, sigma_p=1.0, steps=50))
        >>> setting.inherited_filters, setting.resolved[1].steps
        (7, 50)
        >>> Setting.from_json(setting.to_json()) == setting
        True
    """

    d: int
    m: int
    u_norm: float
    upstream: Task
    downstream: Task
    alpha: float
    eta: float
    sigma_0: float
    steps: int
    noise_signal_correlation: float = 0.0
    label_noise: float = 0.0
    weight_decay: float = 0.0
    l2_sp: float = 0.0
    inherit: str = "random"
    active_threshold: float = 0.5

    def __post_init__(self) -> None:
        check_fields(self, {k: q for k, q in QUANTITIES.items() if "." not in k})
        check_rule(self.inherit)
        for name in TASKS:
            if not isinstance(task := getattr(self, name), Task):
                raise SettingError(f"{name} is {brief(task)}; expected a Task")
        if self.inherited_filters > (upstream_m := self.resolved[0].m):
            raise SettingError(
                f"alpha is {self.alpha:g}, so {self.inherited_filters} filters per sign would be "
                f"inherited; expected at most the upstream network's {upstream_m} (upstream.m)"
            )

    @cached_property
    def resolved(self) -> tuple[ResolvedTask, ResolvedTask]:
        """Both tasks, upstream first, with their ``m``, ``eta`` and ``steps`` filled in."""
        return self._resolve(self.upstream), self._resolve(self.downstream)

    @property
    def inherited_filters(self) -> int:
        """Filters of each sign that are inherited: alpha m, rounded, halves up [count]."""
        return inherited_count(self.alpha, self.resolved[1].m)

    def _resolve(self, task: Task) -> ResolvedTask:
        """Fill in what a task takes from the setting."""
        return ResolvedTask(
            n=task.n,
            v_norm=task.v_norm,
            sigma_p=task.sigma_p,
            m=self.m if task.m is None else task.m,
            eta=self.eta if task.eta is None else task.eta,
            steps=self.steps if task.steps is None else task.steps,
        )

    def to_json(self) -> str:
        """Return the setting as JSON text."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a setting from JSON text.

        Args:
            text: What :meth:`to_json` wrote, or was written by hand; optional fields may be left
                out.

        Returns:
            The setting.

        Raises:
            SettingError: If the text is not JSON, or a field is missing or out of range.
            UnknownNameError: If there is no field of some name.
        """
        try:
            values = json.loads(text)
        except (TypeError, ValueError) as error:
            raise SettingError(f"not a setting: {error}") from error
        except RecursionError as error:
            raise SettingError("not a setting: the JSON text is nested too deeply") from error
        if not isinstance(values, dict):
            raise SettingError(f"not a setting: expected a table of fields, got {brief(values)}")
        return cls.of(values)

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """Make a setting of its fields.

        Args:
            fields: Values by name; a task as itself, a table, or by dotted names: ``upstream.n``.

        Returns:
            The setting.

        Raises:
            SettingError: If a field is missing or out of range.
            UnknownNameError: If there is no field of some name.
        """
        flat: dict[str, Any] = {}
        for name, value in fields.items():
            if name in TASKS and isinstance(value, Mapping | Task):
                own = asdict(value) if isinstance(value, Task) else value
                flat |= {f"{name}.{k}": v for k, v in own.items() if v is not None}
            else:
                flat[name] = value
        for name in flat:
            if name not in FIELDS:
                raise UnknownNameError("field", str(name), FIELDS)
        if missing := [name for name in REQUIRED if name not in flat]:
            raise SettingError(f"the setting lacks {', '.join(missing)}")
        rest: dict[str, Any] = {name: value for name, value in flat.items() if "." not in name}
        return cls(upstream=_task("upstream", flat), downstream=_task("downstream", flat), **rest)


FIELDS = (*QUANTITIES, "inherit")
"""Dotted names of all fields of a setting."""
_OPTIONAL = {f"{task}.{k}" for task in TASKS for k in TRAINING} | {
    "noise_signal_correlation",
    "label_noise",
    "weight_decay",
    "l2_sp",
    "active_threshold",
    "inherit",
}
REQUIRED = tuple(name for name in FIELDS if name not in _OPTIONAL)
"""Fields without a default."""


def fields(setting: Setting) -> dict[str, Value | None]:
    """Return the values of all fields of a setting.

    Args:
        setting: The setting.

    Returns:
        Values by dotted name, such as ``upstream.n``; ``None`` where a task does not override.

    Example:
        >>> fields(EXAMPLE)["upstream.n"], fields(EXAMPLE)["upstream.m"]
        (1000, None)
    """
    values = {}
    for name in FIELDS:
        task, dot, own = name.rpartition(".")
        values[name] = getattr(getattr(setting, task) if dot else setting, own)
    return values


def check_rule(rule: object) -> str:
    """Return the name of a rule by which upstream filters are chosen.

    Args:
        rule: The name.

    Returns:
        The same.

    Raises:
        UnknownNameError: If there is no such rule.
    """
    if not isinstance(rule, str) or rule not in RULES:
        raise UnknownNameError("inherit", brief(rule).strip("'"), RULES)
    return rule


def _task(name: str, flat: Mapping[str, Any]) -> Task:
    """Make one task from a setting's fields by their dotted names."""
    own = {k.partition(".")[2]: v for k, v in flat.items() if k.startswith(f"{name}.")}
    try:
        return Task(**own)
    except SettingError as error:
        raise SettingError(f"{name}.{error}") from None


EXAMPLE = Setting(
    d=2000,
    m=20,
    u_norm=2.0,
    upstream=Task(n=1000, v_norm=3.0, sigma_p=1.0),
    downstream=Task(n=40, v_norm=2.0, sigma_p=1.0),
    alpha=0.5,
    eta=1.0,
    sigma_0=1e-4,
    steps=200,
)
"""The default of the command line: inheriting helps; with ``u_norm=0`` it hurts."""
