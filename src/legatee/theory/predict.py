"""The front door: the accuracies that a setting will have."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from functools import lru_cache
from html import escape
from math import nan, sqrt
from typing import Any, overload

import numpy as np

from legatee.errors import SettingError
from legatee.text import share
from legatee.theory.reduced.reduce import outside, reduced
from legatee.theory.reduced.solve import solve
from legatee.theory.reduced.table import fixed_normals
from legatee.world.setting import Setting

TOLERANCE = 0.005  # standard error of an accuracy below which no replicas are added [fraction]
NEGLIGIBLE = 0.005  # a gain that counts as none [fraction]
REMEMBERED = 4096  # predictions that are kept rather than computed again [count]


class PredictedVerdict(StrEnum):
    """Which network is predicted to be more accurate."""

    INHERIT = "inherit"
    SCRATCH = "scratch"
    EITHER = "either"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The predicted accuracies of a setting.

    Accuracies are means over seeds, spreads their standard deviations over seeds. Where the theory
    does not apply they are NaN, and ``outside`` says why.

    Attributes:
        setting: The setting.
        scratch: Test accuracy of the network trained from scratch [fraction, 0..1].
        zero_shot: Of the inheriting network before it is trained [fraction, 0..1].
        inherited: Of the inheriting network [fraction, 0..1].
        scratch_spread: Spread of ``scratch`` [fraction].
        zero_shot_spread: Spread of ``zero_shot`` [fraction].
        inherited_spread: Spread of ``inherited`` [fraction].
        error: Standard error of ``gain`` as it was computed, from finitely many replicas
            [fraction].
        outside: Why nothing is predicted; empty if something is predicted.
    """

    setting: Setting
    scratch: float
    zero_shot: float
    inherited: float
    scratch_spread: float
    zero_shot_spread: float
    inherited_spread: float
    error: float
    outside: tuple[str, ...]

    @property
    def gain(self) -> float:
        """Inherited accuracy minus that of scratch [fraction]."""
        return self.inherited - self.scratch

    @property
    def verdict(self) -> PredictedVerdict:
        """Which of both is better: whether the gain is more than half a point and its error."""
        if self.outside:
            return PredictedVerdict.UNKNOWN
        if abs(self.gain) <= max(NEGLIGIBLE, 2 * self.error):
            return PredictedVerdict.EITHER
        return PredictedVerdict.INHERIT if self.gain > 0 else PredictedVerdict.SCRATCH

    def __str__(self) -> str:
        """Return the verdict and both accuracies, or why nothing is predicted, in one line."""
        if self.outside:
            return f"no prediction: {'; '.join(self.outside)}"
        return (
            f"{self.verdict.value}: test accuracy {share(self.inherited, 1)} when inheriting, "
            f"{share(self.scratch, 1)} from scratch"
        )

    def _repr_html_(self) -> str:
        """Return the verdict and a table of the accuracies, for notebooks."""
        lines = (
            ("scratch", self.scratch, self.scratch_spread),
            ("inherited, before training", self.zero_shot, self.zero_shot_spread),
            ("inherited", self.inherited, self.inherited_spread),
        )
        rows = "".join(
            f"<tr><td>{name}</td><td>{share(accuracy, 1)}</td><td>{share(spread, 1)}</td></tr>"
            for name, accuracy, spread in lines
        )
        heads = "".join(f"<th>{word}</th>" for word in ("run", "test accuracy", "spread"))
        table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        return f"<div><p><b>{escape(str(self))}</b></p>{'' if self.outside else table}</div>"

    def to_json(self) -> str:
        """Return the prediction as JSON text, with its gain and verdict; ``null`` for NaN."""
        own: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        own |= {"setting": asdict(self.setting), "gain": self.gain, "verdict": self.verdict}
        return json.dumps({k: None if v != v else v for k, v in own.items()}, indent=1)


@overload
def predict(settings: Setting) -> Prediction: ...
@overload
def predict(settings: Iterable[Setting]) -> list[Prediction]: ...
def predict(settings: Setting | Iterable[Setting]) -> Prediction | list[Prediction]:
    """Predict the accuracies of a setting, or of many, without simulating them.

    Args:
        settings: A setting, or several: a list, or a :class:`~legatee.world.grid.Grid`.

    Returns:
        A prediction, or one for each; the same setting always has the same one. The first call on
        a machine compiles for half a minute, others take about 4 ms a setting.

    Raises:
        SettingError: If something else is given.

    Source: *Ours*, docs/theory.md, section 4: the reduced model.
    Valid: The paper's own fields; at least 8 samples a task; d above N (1 + 2 min(m, 20) / min(N,
        64)); growth rates from 1e-6 to 1e4 a step; starts with which filters respond by 10 at most,
        with more than 20 filters by less; no signal or noise level above 1e6 times the least
        noise level. Elsewhere the prediction says so. Mean errors against simulation, about 0.2
        points, are in benchmarks/README.md; where starts are not small they reach 1 point.
        Scratch and inherited accuracy are computed on the same simulated samples. Their number
        depends on the upstream task, so the scratch prediction can shift by up to its standard
        error (0.5 points) when only the upstream task changes.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> prediction = predict(EXAMPLE)
        >>> round(prediction.scratch, 3), round(prediction.inherited, 3), prediction.verdict.value
        (0.901, 0.974, 'inherit')
    """
    if isinstance(settings, Setting):
        return _predict(settings)
    if not isinstance(settings, Iterable) or isinstance(settings, str):
        raise SettingError(f"settings is {settings!r}; expected a Setting, or several")
    return [predict(setting) for setting in settings]


@lru_cache(maxsize=REMEMBERED)
def _predict(setting: Setting) -> Prediction:
    """Solve the reduced model of one setting."""
    if reasons := outside(setting):
        return _unknown(setting, reasons)
    first, second, world = reduced(setting)
    accuracies = solve(first, second, world, TOLERANCE, fixed_normals())
    scratch, zero_shot, inherited = accuracies.mean(0)
    even, odd = _halves(accuracies)
    # Fluctuations of finitely many samples are larger in a reduced task, which has fewer; what v2
    # does by chance, the odd half of zero-shot, has its true size.
    by_samples = second.kept / second.n * (even.var(0, ddof=1) + (odd**2).mean(0))
    by_chance = first.kept / first.n * even[:, 1].var(ddof=1) + (odd[:, 1] ** 2).mean()
    gains = even[:, 2] - even[:, 0]
    return Prediction(
        setting=setting,
        scratch=float(scratch),
        zero_shot=float(zero_shot),
        inherited=float(inherited),
        scratch_spread=sqrt(by_samples[0]),
        zero_shot_spread=sqrt(by_chance),
        inherited_spread=sqrt(by_samples[2]),
        error=float(gains.std(ddof=1) / sqrt(len(gains))),
        outside=(),
    )


def _halves(accuracies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and half difference of each antithetic pair."""
    return (accuracies[::2] + accuracies[1::2]) / 2, (accuracies[::2] - accuracies[1::2]) / 2


def _unknown(setting: Setting, outside: tuple[str, ...]) -> Prediction:
    """Predict nothing."""
    return Prediction(
        setting=setting,
        scratch=nan,
        zero_shot=nan,
        inherited=nan,
        scratch_spread=nan,
        zero_shot_spread=nan,
        inherited_spread=nan,
        error=nan,
        outside=outside,
    )
