"""Reading a setting from the command line: a file, fields with values, or both."""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from legatee.errors import SettingError
from legatee.world.quantity import QUANTITIES
from legatee.world.setting import EXAMPLE, TASKS, Setting, fields

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILE] [FIELD=VALUE]...",
        help="A setting: a .toml or .json file, fields such as `upstream.n=400`, or both; what is "
        "not given is the example's. `legatee predict --fields` lists them.",
        show_default=False,
    ),
]


def setting_of(words: list[str]) -> Setting:
    """Make a setting of the words of a command.

    Args:
        words: A file, ``FIELD=VALUE`` pairs, or both; pairs take precedence over the file.

    Returns:
        The setting; fields that are not given are the example's.

    Raises:
        SettingError: If the file cannot be read, a field is given twice, or a value is out of
            range.
        UnknownNameError: If there is no such field.
    """
    files = [word for word in words if "=" not in word]
    if len(files) > 1:
        raise SettingError(f"{files[0]!r} and {files[1]!r}: give one file, the rest FIELD=VALUE")
    given = flat(_read(Path(files[0]))) if files else {}
    typed: dict[str, Any] = {}
    for name, _, text in (word.partition("=") for word in words if "=" in word):
        if name in typed:
            raise SettingError(f"{name} is given twice: {typed[name]} and {text}")
        typed[name] = _value(name, text)
    usual = {name: value for name, value in fields(EXAMPLE).items() if value is not None}
    return Setting.of(usual | given | typed)


def flat(table: dict[str, Any]) -> dict[str, Any]:
    """Return a table of fields with dotted names.

    Args:
        table: As TOML or JSON is read: ``upstream.n`` is a table ``upstream`` with a field ``n``.

    Returns:
        Values by dotted name.

    Raises:
        SettingError: If a field is there twice, such as ``"upstream.n"`` beside ``upstream.n``.
    """
    result: dict[str, Any] = {}
    for name, value in table.items():
        own = (
            {f"{name}.{k}": v for k, v in value.items()}
            if name in TASKS and isinstance(value, dict)
            else {name: value}
        )
        if twice := sorted(own.keys() & result.keys()):
            raise SettingError(f"{twice[0]} is given twice: {result[twice[0]]} and {own[twice[0]]}")
        result |= own
    return result


def record_steps_of(text: str | None) -> list[int]:
    """Return the steps to record.

    Args:
        text: Steps with commas between, as typed; ``None`` for none but the first and the last.

    Returns:
        The steps.

    Raises:
        SettingError: If one is no whole number.
    """
    try:
        return [int(step) for step in (text or "").split(",") if step or text]
    except ValueError as error:
        raise SettingError(
            f"--record-steps is {text!r}; expected whole numbers such as 50,100"
        ) from error


def _read(path: Path) -> dict[str, Any]:
    """Read a file of fields."""
    try:
        text = path.read_text(encoding="utf-8")
        given = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        cause = getattr(error, "strerror", None) or error
        raise SettingError(f"cannot read the setting {str(path)!r}: {cause}") from error
    if not isinstance(given, dict):
        raise SettingError(f"the setting {str(path)!r} is not a table of fields")
    return given


def _value(name: str, text: str) -> int | float | str:
    """Read one value: a number where a number is meant."""
    if name not in QUANTITIES:
        return text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise SettingError(f"{name} is {text!r}; expected {QUANTITIES[name].range}")
