"""Records that do not change, and documents: records that are written to and read from files."""

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from legatee.disk import write_text
from legatee.errors import LegateeError


class Record(BaseModel):
    """Something that does not change after it was made, and has no field but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Document(Record):
    """A record that is written as JSON text and read back strictly.

    The text begins with the document's format and a digest of its content, and both are checked on
    reading: a text that was changed or damaged, or was written in another format, is refused.
    A text without a digest was written by hand and is read as it is.

    Attributes:
        kind: What it is, as an error calls it, such as ``"a transfer plan"``.
        current: The format that this version of legatee writes and reads.
        refusal: The error that is raised where a text is no such document.
        format: The format that it is written in.
    """

    kind: ClassVar[str]
    current: ClassVar[int] = 1
    refusal: ClassVar[type[LegateeError]] = LegateeError

    format: int | None = None

    def model_post_init(self, context: Any) -> None:
        """Fill in the current format where none is given.

        Args:
            context: What pydantic hands on; not used.
        """
        if self.format is None:
            object.__setattr__(self, "format", self.current)

    @property
    def digest(self) -> str:
        """A digest of everything that the document says [16 hexadecimal digits]."""
        return sha256(self.model_dump_json().encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def to_json(self) -> str:
        """Return the document as JSON text, with its format and the digest of its content."""
        content = json.loads(self.model_dump_json())
        head = {"format": content.pop("format"), "digest": self.digest}
        return json.dumps(head | content, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a document from JSON text.

        Args:
            text: What :meth:`to_json` wrote.

        Returns:
            The same document.

        Raises:
            LegateeError: As ``refusal``, if the text is no such document, is of another format, or
                was changed since it was written; the sentence names what is wrong.
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise cls.refusal(f"this is not {cls.kind}: the text is no JSON ({error})") from error
        if not isinstance(content, dict):
            raise cls.refusal(f"this is not {cls.kind}: expected a JSON object")
        written, digest = content.get("format"), content.pop("digest", None)
        if written != cls.current:
            raise cls.refusal(
                f"this is {cls.kind} of format {written!r}, and this version of legatee reads "
                f"format {cls.current}; make it again with this version"
            )
        try:
            document = cls.model_validate_json(json.dumps(content))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the text"
            raise cls.refusal(f"this is not {cls.kind}: {where}: {first['msg']}") from error
        if digest not in (None, document.digest):
            raise cls.refusal(
                f"this is {cls.kind} that was changed or damaged after it was written: its content "
                "does not match its digest; make it again, or delete the line 'digest' if you "
                "edited it on purpose"
            )
        return document

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the document to a file, all or nothing.

        Args:
            path: The file, such as ``"plan.json"``; its folder is made when missing.

        Raises:
            OutputError: If it cannot be written.
        """
        write_text(path, self.to_json())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a document from a file.

        Args:
            path: A file that :meth:`save` or a command wrote.

        Returns:
            The document.

        Raises:
            LegateeError: As ``refusal``, if there is no such file or it is no such document; the
                sentence names the file and what is wrong.
        """
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            cause = getattr(error, "strerror", None) or error
            raise cls.refusal(f"cannot read {str(path)!r} as {cls.kind}: {cause}") from error
        except cls.refusal as error:
            raise cls.refusal(f"{str(path)!r}: {error}") from error
