"""Records that do not change, and those that are a JSON text of their own."""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from legatee.errors import LegateeError


class Record(BaseModel):
    """Something that does not change, and has no field but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Document(Record):
    """A record that is written as JSON text, and read back strictly.

    Attributes:
        kind: What it is, as an error calls it.
        refusal: What is raised where a text is no such record.
    """

    kind: ClassVar[str]
    refusal: ClassVar[type[LegateeError]] = LegateeError

    def to_json(self) -> str:
        """Return the record as JSON text."""
        return self.model_dump_json(indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a record from JSON text.

        Args:
            text: What :meth:`to_json` wrote.

        Returns:
            The same record.

        Raises:
            LegateeError: If the text is no such record; the first bad field is named.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the text"
            raise cls.refusal(f"not {cls.kind}: {where}: {first['msg']}") from error
