"""What a caller may catch: one root, and a child for each kind of thing that can be refused."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

LISTED = 12  # names that a message lists before it says how many more there are
COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # escape sequences that colour text on a terminal


class LegateeError(Exception):
    """Anything that legatee refuses, in one sentence: what was given, what was expected.

    Characters that are not printable are escaped, so that a name that comes from a file cannot
    steer the terminal on which a message is shown.

    Args:
        message: The sentence.
    """

    def __init__(self, message: str):
        super().__init__(printable(message))


class UnknownNameError(LegateeError, KeyError):
    """A name that is not among the known ones; the message suggests the nearest.

    Args:
        kind: What was asked for, such as ``"data"``.
        name: The name that was given.
        known: The names that would have been understood.
        suggestions: Names to suggest in place of the nearest of the known ones.
        note: What else would have been understood, said after the known names.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        known: Iterable[str],
        *,
        suggestions: Sequence[str] = (),
        note: str = "",
    ):
        known = sorted(known)
        near = suggestions or get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {listed(known)}{note}"
        super().__init__(f"unknown {kind} {name!r}; {hint}")

    __str__ = Exception.__str__  # a KeyError would print its message between quotes

    def __reduce__(self) -> tuple:
        """Let the error pass from a worker process with its message, not made of a new one."""
        return _restored, (type(self), self.args)


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


class DamageError(OutputError):
    """Finished results on disk that cannot be read any more, and must be computed again."""


class TraceError(LegateeError, ValueError):
    """A network whose channels cannot be followed from its input to its output."""


def printable(text: str) -> str:
    r"""Return text with every character escaped that is not printable.

    Args:
        text: Any text, such as a name from a file.

    Returns:
        The text, with ``\x1b`` for an escape character, ``\n`` for a new line and so on.

    Example:
        >>> print(printable("a name\x1b[2J\u202e"))
        a name\x1b[2J\u202e
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def listed(names: Iterable[str], most: int = LISTED) -> str:
    """Return names as a list that a message can hold.

    Args:
        names: The names.
        most: As many are named; of others only the number is told [count].

    Returns:
        The names, separated by commas.

    Example:
        >>> listed("abcde", most=3)
        'a, b, c, ... and 2 more'
    """
    names = list(names)
    rest = len(names) - most
    return ", ".join(names[:most]) + (f", ... and {rest:,} more" if rest > 0 else "")


def first_line(error: BaseException) -> str:
    r"""Return the cause that another package's error names, in one line.

    Args:
        error: Any error.

    Returns:
        The first line of its text without colours, or the name of its type where it has no text.

    Example:
        >>> first_line(ValueError("no such thing\nsee the manual")), first_line(ValueError())
        ('no such thing', 'ValueError')
    """
    lines = COLOURS.sub("", str(error)).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _restored(kind: type[UnknownNameError], args: tuple[str]) -> UnknownNameError:
    """Make an error of a message that is complete."""
    error = kind.__new__(kind)
    error.args = args
    return error
