"""Settings as a doorway reads them: the command line over the environment, and mistakes in words for people."""

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
        return Settings(**{name: value for name, value in chosen.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(f"{_variable(one['loc'])}: {one['msg']}" for one in error.errors(include_input=False))
        raise SettingsError(f"A setting cannot work: {wrong}. Change it in the environment or in .env.") from error


def _variable(location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else "settings"
    return name if name.isupper() else f"ATTUNE_{name.upper()}"
