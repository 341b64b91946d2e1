"""The theorems: on which side of its boundary a setting lies, and by how much."""

from dataclasses import dataclass, replace
from math import inf, log10

from legatee.theory.quantities import gamma, scratch_strength, signal_squared
from legatee.world.setting import Setting


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """Where a setting lies.

    Attributes:
        claim: What the theorem claims beyond the boundary.
        value: The quantity that decides.
        threshold: What it has to reach.
        margin: Factors of ten beyond it, negative on the near side [decades].
        strict: Whether the threshold has to be exceeded.
    """

    claim: str
    value: float
    threshold: float
    margin: float
    strict: bool = False

    @property
    def beyond(self) -> bool:
        """Whether the claim is made of this setting."""
        return self.margin > 0 if self.strict else self.margin >= 0


def transfer_succeeds(setting: Setting, *, constant: float = 1.0) -> Boundary:
    """Hold a setting to Theorem 4.2: when an inheriting network generalises.

    Args:
        setting: The setting.
        constant: The theorem's unnamed constant; 1 because the paper names none [> 0].

    Returns:
        Beyond the boundary the test error is exponentially small in the value; before it, at
        least a constant (0.1 in the paper).

    Source: Theorem 4.2 (*paper*). That the inherited and the own strength add is how we read it
        (*reconstructed*): at alpha = 0 it must be Theorem 4.3.
    Valid: Under Condition 4.1. It does not know what inherited noise does to the downstream task;
        see :func:`inheriting_hurts`.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> boundary = transfer_succeeds(EXAMPLE)
        >>> boundary.value, boundary.beyond
        (3.2800000000000002, True)
    """
    value = gamma(setting) + scratch_strength(setting)
    return _reaches("the inheriting network's test error is small", value, constant)


def scratch_succeeds(setting: Setting, *, constant: float = 1.0) -> Boundary:
    """Hold a setting to Theorem 4.3: when a network trained from scratch generalises.

    Args:
        setting: The setting.
        constant: The theorem's unnamed constant; 1 because the paper names none [> 0].

    Returns:
        Beyond the boundary the test error is exponentially small in the value; before it, at
        least a constant.

    Source: Theorem 4.3 (*paper*).
    Valid: Under Condition 4.1.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> scratch_succeeds(EXAMPLE).beyond
        True
    """
    return _reaches("scratch's test error is small", scratch_strength(setting), constant)


def inheriting_helps(setting: Setting) -> Boundary:
    """Hold a setting to Proposition 4.4 (1): the universal signal is strong enough.

    Args:
        setting: The setting.

    Returns:
        Beyond the boundary inheriting is claimed to help: ``alpha N_1 sigma_2^2 / (N_2
        sigma_1^2)`` exceeds ``|u + v_2|^2 / |u|^2``.

    Source: Proposition 4.4 (1) (*paper*) says that it helps when |u| is strong enough; the boundary
        is that of part (2), the other way round; on it part (2) holds (*reconstructed*).
    Valid: Under Condition 4.1. Measured against simulation in docs/theory.md, section 6.

    Example:
        >>> from legatee.world.setting import EXAMPLE
        >>> boundary = inheriting_helps(EXAMPLE)
        >>> boundary.value, boundary.threshold, boundary.beyond
        (12.5, 2.0, True)
    """
    advantage, dilution = _advantage(setting), _dilution(setting)
    return replace(_reaches("inheriting helps", advantage, dilution), strict=True)


def inheriting_hurts(setting: Setting, *, constant: float = 1.0) -> Boundary:
    """Hold a setting to Proposition 4.4 (2), negative transfer.

    Args:
        setting: The setting.
        constant: The proposition's C_4; 1 because the paper names none [> 0].

    Returns:
        Beyond the boundary inheriting is claimed to hurt: ``|u + v_2|^2 / |u|^2 >= alpha N_1
        sigma_2^2 / (N_2 sigma_1^2) >= C_4``. The margin is that of the tighter inequality.

    Source: Proposition 4.4 (2) (*paper*).
    Valid: Under Condition 4.1. It misses that inheriting *every* filter leaves none to memorise
        with, which helps (*ours*, docs/theory.md, section 6).

    Example:
        >>> from dataclasses import replace
        >>> from legatee.world.setting import EXAMPLE
        >>> inheriting_hurts(EXAMPLE).beyond, inheriting_hurts(replace(EXAMPLE, u_norm=0)).beyond
        (False, True)
    """
    claim, advantage = "inheriting hurts", _advantage(setting)
    diluted = _reaches(claim, _dilution(setting), advantage)
    inherits = _reaches(claim, advantage, constant)
    return min(diluted, inherits, key=lambda boundary: boundary.margin)


def _advantage(setting: Setting) -> float:
    """Return alpha N_1 sigma_2^2 / (N_2 sigma_1^2): how much more upstream data there are."""
    first, second = setting.resolved
    return setting.alpha * first.n * second.sigma_p**2 / (second.n * first.sigma_p**2)


def _dilution(setting: Setting) -> float:
    """Return |u + v_2|^2 / |u|^2: how little of the downstream signal is universal."""
    signal = signal_squared(setting, setting.resolved[1])
    universal = setting.u_norm**2
    return signal / universal if universal > 0 else inf


def _reaches(claim: str, value: float, threshold: float) -> Boundary:
    """Return a boundary that is crossed when a value reaches a threshold."""
    if value == threshold:  # both may be 0 or infinite
        margin = 0.0
    elif value == 0 or threshold == inf:
        margin = -inf
    else:
        margin = inf if threshold == 0 or value == inf else log10(value / threshold)
    return Boundary(claim=claim, value=value, threshold=threshold, margin=margin)
