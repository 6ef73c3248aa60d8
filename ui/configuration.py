"""Settings as a doorway reads them: the command line over the environment, and mistakes in words for people."""

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agent.errors import SettingsError
from agent.settings import Settings


def load_settings(**chosen: Any) -> Settings:
    """The settings of the environment, with what was chosen on the command line (None: not chosen).

    Raises:
        SettingsError: names each variable and what was expected. Values are not shown: they may be keys.
    """
    try:
        settings = Settings(**{name: value for name, value in chosen.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(f"{_variable(one['loc'])}: {one['msg']}" for one in error.errors(include_input=False))
        raise SettingsError(f"A setting cannot work: {wrong}. Change it in the environment or in .env.") from error
    _check_folder(settings.data_dir)
    return settings


def _check_folder(folder: Path) -> None:
    """Whether the data folder is one, or can be made, and can be written."""
    path = folder.absolute()
    there = next(one for one in (path, *path.parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "cannot be written" if there.is_dir() else "is not a folder"
        raise SettingsError(
            f"Expected a data folder that can be written, got {path}: {there} {why}. Set ATTUNE_DATA_DIR."
        )


def _variable(location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else "settings"
    return name if name.isupper() else f"ATTUNE_{name.upper()}"
