"""Methods as files hold them."""

from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from legatee.errors import LegateeError
from legatee.methods.inherit import Inherit
from legatee.methods.linear_probe import LinearProbe
from legatee.methods.method import Method
from legatee.methods.scratch import Scratch

KNOWN: TypeAdapter[Method] = TypeAdapter(
    Annotated[Scratch | Inherit | LinearProbe, Field(discriminator="kind")]
)


def read_method(content: Any) -> Method:
    """Return the method that a file describes.

    Args:
        content: Its fields by name, ``kind`` among them.

    Returns:
        The method.

    Raises:
        LegateeError: If there is no such kind, or a field is wrong.

    Example:
        >>> read_method({"kind": "inherit", "options": {"alpha": 0.5}}).options.alpha
        0.5
    """
    try:
        return KNOWN.validate_python(content)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "the method"
        raise LegateeError(f"this is no method: {where}: {error.errors()[0]['msg']}") from error
