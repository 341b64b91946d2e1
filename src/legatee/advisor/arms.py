"""Arms: the ways to start and tune the downstream network that are compared."""

from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from legatee.document import Record
from legatee.errors import LegateeError
from legatee.methods.inherit import Inherit
from legatee.methods.method import Method
from legatee.methods.read import read_method
from legatee.methods.scratch import Scratch


def _method(value: Any) -> Any:
    """Read a method from a file; one that was made in Python is taken as it is."""
    if isinstance(value, dict):
        return read_method(value)
    if not isinstance(value, Method):
        raise LegateeError(
            f"the method of an arm is {value!r}; pass a method, such as Inherit(alpha=0.5)"
        )
    return value


AnyMethod = Annotated[
    Method,
    BeforeValidator(_method),
    PlainSerializer(lambda method: method.model_dump(mode="json"), return_type=dict[str, Any]),
]


class Arm(Record):
    """A transfer method under a name.

    Attributes:
        name: What the verdict calls it.
        method: How the network starts, and how it is then tuned.

    Example:
        >>> Arm(name="half", method=Inherit(alpha=0.5)).is_scratch
        False
    """

    name: str
    method: AnyMethod

    @property
    def is_scratch(self) -> bool:
        """Whether nothing is inherited."""
        return isinstance(self.method, Scratch)


SCRATCH = Arm(name="scratch", method=Scratch())
ARMS = (
    Arm(name="all", method=Inherit(alpha=1.0)),
    Arm(name="half", method=Inherit(alpha=0.5)),
    Arm(name="quarter", method=Inherit(alpha=0.25)),
)
