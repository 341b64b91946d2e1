"""The front door: the accuracies that a setting will have, and what follows from them."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from math import nan, sqrt
from typing import Any, overload

import numpy as np

from legatee.errors import SettingError
from legatee.theory.reduced.reduce import outside, reduced
from legatee.theory.reduced.solve import solve
from legatee.theory.reduced.table import fixed_normals
from legatee.world.quantity import COUNTABLE, LARGEST, SMALLEST
from legatee.world.setting import Setting

TOLERANCE = 0.005  # standard error of an accuracy below which no replicas are added [fraction]
NEGLIGIBLE = 0.005  # a gain that is called none [fraction]
ENOUGH = 0.99  # an accuracy of scratch beyond which inheriting has nothing to add [fraction]
MOST_SAMPLES = 10**7  # up to which scratch is followed when it is asked to catch up [count]
ALPHAS = tuple(i / 10 for i in range(11))


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What will become of a setting.

    Accuracies are means over seeds, spreads their standard deviations over seeds. Where the theory
    does not hold they are NaN, and ``outside`` says why. What costs more than the accuracies
    themselves is computed when it is asked for.

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
        outside: Why nothing is predicted; empty if something is.
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
        """What inheriting adds to scratch's accuracy [fraction]."""
        return self.inherited - self.scratch

    @property
    def verdict(self) -> str:
        """``inherit``, ``scratch`` (negative transfer), ``either``, or ``unknown`` if outside."""
        if self.outside:
            return "unknown"
        if abs(self.gain) <= max(NEGLIGIBLE, 2 * self.error):
            return "either"
        return "inherit" if self.gain > 0 else "scratch"

    @cached_property
    def best_alpha(self) -> float:
        """The inheritance ratio, of tenths, with the best inherited accuracy; the least of equals.

        About 30 ms. NaN if outside.
        """
        if self.outside:
            return nan
        first, second = self.setting.resolved
        possible = [alpha for alpha in ALPHAS if alpha * second.m <= first.m]
        found = [predict(replace(self.setting, alpha=alpha)).inherited for alpha in possible]
        good = [a for a, x in zip(possible, found, strict=True) if x >= max(found) - NEGLIGIBLE]
        return good[0]

    @cached_property
    def crossover(self) -> int | None:
        """Downstream samples with which scratch gets as far as inheriting does with what it has.

        The setting's own number if inheriting is no better; ``None`` if scratch does not get there
        within what the theory is for and ten million samples. About 50 ms. To one part in a
        hundred of where the predicted accuracies meet, which are themselves known to half a point.
        """
        if self.outside:
            return None
        low = high = self.setting.downstream.n
        if self.gain <= 0:
            return low
        while (scratch := self._scratch_with(high)) < self.inherited:
            low, high = high, 2 * high
            if high > MOST_SAMPLES:
                return None
        while high - low > max(1, 0.01 * low):  # a NaN is where the theory ends, not below anything
            middle = (low + high) // 2
            if (there := self._scratch_with(middle)) < self.inherited:
                low = middle
            else:
                high, scratch = middle, there
        return high if scratch >= self.inherited else None

    @cached_property
    def limiting_factor(self) -> str:
        """What keeps inheriting from doing better, in words.

        Either scratch is good enough, or it is the one of three factors of which twice as much
        would help most: universal signal (at the same downstream signal), less upstream noise, or
        upstream samples. About 15 ms.
        """
        if self.outside:
            return "unknown"
        if self.scratch >= ENOUGH:
            return "the downstream data are already enough"
        doubled = {words: predict(better).inherited for words, better in _doubled(self.setting)}
        known = {words: accuracy for words, accuracy in doubled.items() if accuracy == accuracy}
        words = max(known, key=lambda words: known[words], default="")
        if not words or known[words] - self.inherited <= NEGLIGIBLE:
            return "nothing upstream would change much"
        return words

    def to_json(self) -> str:
        """Return the prediction as JSON text, what is computed when asked for included."""
        own: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        own |= {"setting": asdict(self.setting), "gain": self.gain, "verdict": self.verdict}
        own |= {"best_alpha": self.best_alpha, "crossover": self.crossover}
        own |= {"limiting_factor": self.limiting_factor}
        plain = {k: None if isinstance(v, float) and v != v else v for k, v in own.items()}
        return json.dumps(plain, indent=1)

    def _scratch_with(self, samples: int) -> float:
        """Return scratch's accuracy with so many samples, NaN if outside."""
        downstream = replace(self.setting.downstream, n=samples)
        return predict(replace(self.setting, downstream=downstream, alpha=0)).scratch


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
        Scratch is predicted on the same samples as inheriting; how many these are depends on what
        is upstream, and moves it within its error of half a point.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> prediction = predict(EXAMPLE)
        >>> round(prediction.scratch, 3), round(prediction.inherited, 3), prediction.verdict
        (0.901, 0.974, 'inherit')
    """
    if isinstance(settings, Setting):
        return _predict(settings)
    if not isinstance(settings, Iterable) or isinstance(settings, str):
        raise SettingError(f"settings is {settings!r}; expected a Setting, or several")
    return [predict(setting) for setting in settings]


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


def _doubled(setting: Setting) -> Iterator[tuple[str, Setting]]:
    """Yield settings in which one of the paper's three factors is twice as favourable."""
    up, down = setting.upstream, setting.downstream
    signal = setting.u_norm**2 + down.v_norm**2
    universal = min(2 * setting.u_norm**2, signal) or signal / 20  # of none, a twentieth
    u_norm = min(sqrt(universal), LARGEST)
    rest = replace(down, v_norm=sqrt(max(signal - universal, 0)))
    yield "the universal signal is weak", replace(setting, u_norm=u_norm, downstream=rest)
    quiet = replace(up, sigma_p=max(up.sigma_p / sqrt(2), SMALLEST))
    yield "the upstream noise is strong", replace(setting, upstream=quiet)
    many = replace(up, n=min(2 * up.n, COUNTABLE))
    yield "the upstream samples are few", replace(setting, upstream=many)
