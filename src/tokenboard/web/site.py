"""What the operator has decided about the pages as a whole."""

from dataclasses import dataclass
from enum import StrEnum


class PagesVisibility(StrEnum):
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


DEMO_NOTICE = "Demo: the apps, models and figures on this board are invented."
"""What every page of a demo says."""


@dataclass(frozen=True, slots=True)
class Site:
    """``base_url`` is the board's public URL, without a slash at its end.

    ``echo`` says whether the board offers its built-in model, `tokenboard/echo`; ``demo`` whether its figures are
    those of a demo year, which everything that shows some must say.
    """

    title: str
    base_url: str
    visibility: PagesVisibility = PagesVisibility.PUBLIC
    echo: bool = True
    demo: bool = False
    sections: tuple[Section, ...] = SECTIONS

    @property
    def signature(self) -> str:
        """How the board signs what is shown elsewhere: badges, share images, feeds."""
        return f"{self.title} (demo)" if self.demo else self.title
