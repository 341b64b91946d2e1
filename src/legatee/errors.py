"""What a caller may catch: one root, and a child for each kind of thing that can be refused."""

from collections.abc import Iterable
from difflib import get_close_matches


class LegateeError(Exception):
    """Anything that legatee refuses, in one sentence: what was given, what was expected."""


class UnknownNameError(LegateeError, KeyError):
    """A name that is not among the known ones; the message suggests the nearest.

    Args:
        kind: What was asked for, such as ``"data"``.
        given: The name that was given.
        known: The names that would have been understood.
    """

    def __init__(self, kind: str, given: str, known: Iterable[str]):
        known = sorted(known)
        near = get_close_matches(given, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known[:12])}"
        super().__init__(f"unknown {kind} {given!r}; {hint}")

    __str__ = Exception.__str__  # a KeyError would print its message between quotes


class SettingError(LegateeError, ValueError):
    """A point of the model world, or a grid of them, with a value that is out of its range."""


class DataError(LegateeError, ValueError):
    """Examples that cannot be learned from: missing, unreadable, non-finite or badly labelled."""


class CheckpointError(LegateeError, ValueError):
    """A file of weights that is missing, damaged, or would have to execute code to be read."""


class TransferError(LegateeError, ValueError):
    """A transfer that cannot be planned, or whose plan does not fit the networks it is given."""


class OutputError(LegateeError):
    """A place to write that exists already, belongs to another run, or cannot be written."""


class TraceError(LegateeError, ValueError):
    """A network whose channels cannot be followed from its input to its output."""
