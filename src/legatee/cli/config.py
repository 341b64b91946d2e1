"""Options from a TOML file: its keys are the names of the command's options."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from legatee.errors import LegateeError, UnknownNameError


def _read(context: typer.Context, path: Path | None) -> Path | None:
    """Take the values of a file as defaults; what is typed wins."""
    if path is None:
        return None
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise LegateeError(
            f"cannot read the options in {str(path)!r} (--config): {cause}"
        ) from error
    names = _option_names(context.command)
    values: dict[str, Any] = {}
    for key, value in content.items():
        name = key.replace("_", "-")
        if name not in names:
            raise UnknownNameError(f"option in {str(path)!r}", key, names)
        values[names[name]] = value
    context.default_map = {**(context.default_map or {}), **values}
    return path


def _option_names(command: Any) -> dict[str, str]:
    """Return the long names of a command's options -> the names of their parameters."""
    return {
        flag.removeprefix("--"): parameter.name or ""
        for parameter in command.params
        if parameter.param_type_name == "option" and parameter.name not in ("config", "help")
        for flag in parameter.opts
        if flag.startswith("--")
    }


Config = Annotated[
    Path | None,
    typer.Option(
        callback=_read,
        is_eager=True,
        help="A TOML file of options, such as `epochs = 40`; what is typed here wins.",
    ),
]
