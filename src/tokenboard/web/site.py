"""What the operator has decided about the pages as a whole."""

from dataclasses import dataclass
from enum import StrEnum


class Visibility(StrEnum):
    """Who may read the pages: everybody, whoever has a key with the scope ``data``, or nobody."""

    PUBLIC = "public"
    KEY = "key"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Section:
    """An entry of the navigation."""

    name: str
    label: str
    href: str


SECTIONS = (
    Section("rankings", "Rankings", "/rankings"),
    Section("apps", "Apps", "/apps"),
    Section("models", "Models", "/models"),
    Section("docs", "Docs", "/docs"),
)


@dataclass(frozen=True, slots=True)
class Site:
    """``base_url`` is the board's public URL, without a slash at its end.

    ``echo`` says whether the board offers its built-in model, `tokenboard/echo`.
    """

    title: str
    base_url: str
    visibility: Visibility = Visibility.PUBLIC
    echo: bool = True
    sections: tuple[Section, ...] = SECTIONS
