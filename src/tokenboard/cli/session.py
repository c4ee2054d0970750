"""What every command starts from: the data folder and the settings."""

import getpass
from pathlib import Path

from tokenboard.app.folder import DataFolder
from tokenboard.config import ConfigError, Settings, load_settings

SETTINGS_FILE = "tokenboard.toml"
"""Name of the settings file that is found without being named."""


class Session:
    """One run of one command."""

    def __init__(self, data: Path, config: Path | None) -> None:
        self.folder = DataFolder(data)
        self._config = config

    def config_file(self, chosen: Path | None = None) -> Path | None:
        """Return the settings file: the one named, that of the server running here, or the nearest tokenboard.toml.

        Raises:
            ConfigError: the file named does not exist.

        """
        named = chosen or self._config
        if named is None:
            running = self.folder.running()
            if running is not None:
                return Path(running.config) if running.config else None
            found = (place for place in (self.folder.path / SETTINGS_FILE, Path(SETTINGS_FILE)) if place.is_file())
            return next(found, None)
        if not named.is_file():
            raise ConfigError(f"there is no settings file {named}")
        return named

    def settings(self, chosen: Path | None = None) -> Settings:
        """Return the settings in force."""
        return load_settings(self.config_file(chosen))


def actor() -> str:
    """Return who runs the command, as the audit log names them."""
    try:
        return f"cli:{getpass.getuser()}"[:100]
    except (ImportError, KeyError, OSError):
        return "cli"
