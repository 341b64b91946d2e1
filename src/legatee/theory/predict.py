"""The front door: the accuracies that a setting will have, and what follows from them."""

from dataclasses import dataclass

from legatee.setting import Setting

TOLERANCE = 0.005  # standard error of the accuracies that more replicas are worth [fraction]
NEGLIGIBLE = 0.005  # gain that is called none [fraction]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What will become of a setting.

    Accuracies are means over seeds, spreads their standard deviations over seeds. Where the theory
    does not hold, they are NaN and ``outside`` says why.

    Attributes:
        setting: The setting.
        scratch: Test accuracy of the network trained from scratch [fraction, 0..1].
        zero_shot: Of the inheriting network before it is trained [fraction, 0..1].
        inherited: Of the inheriting network [fraction, 0..1].
        scratch_spread: Spread of ``scratch`` over seeds [fraction].
        zero_shot_spread: Of ``zero_shot`` [fraction].
        inherited_spread: Of ``inherited`` [fraction].
        error: Standard error of ``gain`` as computed; the replicas are finitely many [fraction].
        outside: Why nothing is predicted; empty where something is.
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
        """Accuracy of the inheriting network beyond scratch's [fraction]."""
        return self.inherited - self.scratch

    @property
    def verdict(self) -> str:
        """``inherit``, ``scratch`` (negative transfer), ``either`` or ``unknown``."""
        if self.outside:
            return "unknown"
        if abs(self.gain) <= max(NEGLIGIBLE, 2 * self.error):
            return "either"
        return "inherit" if self.gain > 0 else "scratch"
