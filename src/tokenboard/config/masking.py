"""The effective settings as an operator may see them: secrets masked."""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from tokenboard.config.settings import Settings

MASK = "…"

# Up to the last @, so that a password with an unescaped / or # in it is masked as a whole; rather too much than too
# little.
_USER_INFO = re.compile(r"://([^:/@]*):.*@", re.DOTALL)
_PARAMETER = re.compile(r"([?&][^=&]*)=[^&]*")


def effective_settings(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield every setting as (dotted name, value); header values, and passwords and parameters of URLs, masked."""
    yield from _walk("", settings)


def _walk(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from _walk(f"{name}.{field}" if name else field, getattr(value, field))
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for position, entry in enumerate(value):
            yield from _walk(f"{name}[{position}]", entry)
    elif isinstance(value, tuple):
        yield name, ", ".join(value)
    elif isinstance(value, dict):
        yield name, ", ".join(f"{header}: {MASK}" for header in value)
    elif isinstance(value, bool):
        yield name, str(value).lower()
    else:
        yield name, "" if value is None else _mask_url(str(value))


def _mask_url(text: str) -> str:
    if "://" not in text:
        return text
    return _PARAMETER.sub(rf"\1={MASK}", _USER_INFO.sub(rf"://\1:{MASK}@", text))
