"""What makes two requests the same app."""

from dataclasses import dataclass
from typing import Self

from tokenboard.attribution.reason import Reason, RefererError
from tokenboard.attribution.url import is_loopback


@dataclass(frozen=True, slots=True)
class AppIdentity:
    """A canonical URL, and for loopback URLs the case-folded title: many unrelated apps share `localhost:3000`."""

    url: str
    title_key: str | None = None

    @classmethod
    def of(cls, url: str, title: str | None) -> Self:
        """Identify the app of a canonical URL and a clean title.

        Raises RefererError (localhost_without_title) for a loopback URL without a title.
        """
        if not is_loopback(url):
            return cls(url)
        if not title:
            raise RefererError(Reason.LOCALHOST_WITHOUT_TITLE)
        return cls(url, title.casefold())

    @classmethod
    def from_key(cls, key: str) -> Self:
        """Read back what `key` gave."""
        url, separator, title_key = key.partition("\n")
        return cls(url, title_key if separator else None)

    @property
    def key(self) -> str:
        """The one string that stands for this identity: the URL, or the URL, a line feed and the title's key.

        A URL has at most 512 characters and holds no line feed; a title of 100 characters folds to at most 300.
        """
        return self.url if self.title_key is None else f"{self.url}\n{self.title_key}"

    @property
    def display_name(self) -> str:
        """The URL without its scheme: what an app is called until it has a title."""
        return self.url.partition("://")[2]

    @property
    def is_loopback(self) -> bool:
        """Whether the app runs on its developer's machine."""
        return is_loopback(self.url)
