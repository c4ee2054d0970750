"""The passwords of stores, which stand in no settings file: in an environment variable, or a file of their own."""

import os
from pathlib import Path

from tokenboard.config import ConfigError


def read_password(section: str, data: Path, *, variable: str, file: str) -> str | None:
    """Return the password that ``password_env`` or ``password_file`` of a section leads to; None with neither.

    A relative file lies in the data folder. A line break at the end is none of the password's.

    Raises:
        ConfigError: it is not where the settings say; the message names the place, never what is there.

    """
    if file:
        path = data / Path(file).expanduser()
        try:
            password = path.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise ConfigError(
                f"{path}, which [{section}] password_file names, cannot be read: {reason}; "
                "put the password there, readable by this user alone"
            ) from error
        if not password:
            raise ConfigError(f"{path}, which [{section}] password_file names, is empty; put the password there")
        return password
    if not variable:
        return None
    password = os.environ.get(variable, "").rstrip("\r\n")
    if not password:
        raise ConfigError(
            f"the variable {variable}, which [{section}] password_env names, is not set; set it in the environment of "
            "every command, or use password_file"
        )
    return password
