"""Reading the settings: the file, the environment over it, every fault told at once with its place and a way out."""

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from tokenboard.config.faults import explain, unknown_names
from tokenboard.config.names import PREFIX, SEPARATOR, is_structured, nearest, variable_of, variables
from tokenboard.config.settings import Settings

NOT_SETTINGS = frozenset(
    {
        "TOKENBOARD_DATA",
        "TOKENBOARD_CONFIG",
        "TOKENBOARD_KEY",
        "TOKENBOARD_GATEWAY_KEY",
        "TOKENBOARD_PURE",
        "TOKENBOARD_COMPILE",
    }
)
"""Variables with our prefix that are no settings: two options of the command line, the key in the snippets, that of a
gateway on another machine, and what chooses between the forms of the hot modules, where they run and where they are
installed."""

# Kubernetes and Docker describe every service named tokenboard… by such variables in each container beside it
# (kubernetes.io, "Accessing the Service"): TOKENBOARD_SERVICE_HOST, TOKENBOARD_PORT=tcp://10.0.0.1:8787.
_SERVICE_LINK = re.compile(
    r"TOKENBOARD_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)", re.ASCII
)
_SERVICE_URL = re.compile(r"TOKENBOARD_(\w+_)?PORT=(tcp|udp|sctp)://.*", re.ASCII)


class ConfigError(Exception):
    """The settings are wrong; the message names each fault, its place and how to mend it."""

    hint = "docs/settings.md lists every setting."


def load_settings(file: Path | None) -> Settings:
    """Read the settings of ``file`` (None: only defaults) and of the environment.

    Raises:
        ConfigError: the file cannot be read, a name is unknown, or a value is wrong.

    """
    given = _read(file) if file is not None else {}
    place = str(file or "")
    known = {name: value for name, value in given.items() if name in Settings.model_fields}
    allowed = NOT_SETTINGS | _names_of_secrets(given)
    faults = [*unknown_names(given, Settings, place), *_faults_of_variables(os.environ, allowed)]
    try:
        layered = _Layered(**known)
    except ValidationError as error:
        faults += explain(error, place, os.environ)
    except SettingsError as error:
        # A variable that holds no JSON where it must, which is among the faults already: look at the file alone.
        faults = faults or [f"an environment variable cannot be read: {error}"]
        try:
            Settings(**known)
        except ValidationError as further:
            faults += explain(further, place, {})
    else:
        if not faults:
            return Settings(**{name: getattr(layered, name) for name in Settings.model_fields})
    raise ConfigError("\n".join(faults))


class _Layered(Settings, BaseSettings):
    """The settings with the environment above the file."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=SEPARATOR, case_sensitive=False)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from error


def _names_of_secrets(given: Mapping[str, Any]) -> frozenset[str]:
    """Return the variables that hold upstreams' keys, stores' passwords and the gateway's own key.

    They may begin as ours do.
    """
    upstreams = given.get("upstream")
    entries = [entry for entry in upstreams if isinstance(entry, dict)] if isinstance(upstreams, list) else []
    names = [entry.get("api_key_env", "") for entry in entries]
    for section, setting in (
        ("catalog", "password_env"),
        ("ledger", "password_env"),
        ("shared", "password_env"),
        ("board", "key_env"),
    ):
        told = given.get(section)
        names += [told.get(setting, "")] if isinstance(told, dict) else []
        names.append(os.environ.get(variable_of((section, setting)), ""))
    return frozenset(str(name).upper() for name in names)


def _faults_of_variables(environment: Mapping[str, str], allowed: frozenset[str]) -> Iterator[str]:
    known = variables(Settings)
    for name, value in environment.items():
        folded = name.upper()
        if not folded.startswith(PREFIX) or folded in allowed or _is_service_link(folded, value):
            continue
        if folded not in known:
            yield f"unknown environment variable {name}{nearest(folded, known)}"
            continue
        path, annotation = known[folded]
        if not is_structured(annotation):
            continue
        try:
            given = json.loads(value)
        except (ValueError, RecursionError):
            yield f'environment variable {name}: must be JSON, such as {{"name": "value"}} or a list of these'
            continue
        for part in reversed(path):
            given = {part: given}
        yield from unknown_names(given, Settings, f"environment variable {name}")


def _is_service_link(name: str, value: str) -> bool:
    return bool(_SERVICE_LINK.fullmatch(name) or _SERVICE_URL.fullmatch(f"{name}={value}"))
