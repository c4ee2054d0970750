"""What a developer should mend although the request was served: warnings with a way out."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from tokenboard.attribution.identity import AppIdentity
from tokenboard.attribution.intermediaries import is_intermediary
from tokenboard.attribution.reason import Reason


class WarningCode(StrEnum):
    """The warnings, by the names that the API shows."""

    TITLE_WITHOUT_REFERER = "title_without_referer"
    LOCALHOST = "localhost"
    GENERIC_TITLE = "generic_title"
    BROWSER_REFERER_IGNORED = "browser_referer_ignored"
    KNOWN_INTERMEDIARY = "known_intermediary"


@dataclass(frozen=True, slots=True)
class AttributionWarning:
    """A warning's code, and a sentence that says how to mend it."""

    code: WarningCode
    message: str


_WARNINGS = MappingProxyType(
    {
        code: AttributionWarning(code, message)
        for code, message in {
            WarningCode.TITLE_WITHOUT_REFERER: (
                "A title alone creates no app: send the app's URL as HTTP-Referer with every request."
            ),
            WarningCode.LOCALHOST: (
                "A localhost URL is shared by many apps and told apart by its title only: "
                "send the app's public URL, or its repository, as HTTP-Referer."
            ),
            WarningCode.GENERIC_TITLE: (
                "This title could be any app's: send the app's own name as X-OpenRouter-Title."
            ),
            WarningCode.BROWSER_REFERER_IGNORED: (
                "The browser's Referer is not attribution: set the header HTTP-Referer in the request itself."
            ),
            WarningCode.KNOWN_INTERMEDIARY: (
                "This URL is the default of a gateway, an SDK or a quickstart: set HTTP-Referer to your own app's URL "
                "where that software is configured."
            ),
        }.items()
    }
)

# Titles of quickstarts and first drafts, case-folded.
_GENERIC_TITLES = frozenset(
    {
        "ai", "ai agent", "ai app", "ai assistant", "ai bot", "ai chat", "ai chatbot", "app", "application",
        "assistant", "bot", "chat", "chat app", "chatbot", "demo", "demo app", "example", "example app", "llm app",
        "my ai app", "my app", "my application", "my project", "myapp", "openrouter", "python app", "sample app",
        "test", "test app", "untitled",
    }
)  # fmt: skip


def warnings(
    app: AppIdentity | None, reason: Reason | None, title: str | None, *, ignored_browser_referer: bool
) -> tuple[AttributionWarning, ...]:
    """Return the warnings of an attribution, each code at most once.

    `ignored_browser_referer`: the request carried the browser's Referer, and the settings do not use it. That is worth
    a warning only when nothing else named the app, as browsers add it to every request.
    """
    codes: list[WarningCode] = []
    if title is not None and reason is Reason.MISSING_REFERER:
        codes.append(WarningCode.TITLE_WITHOUT_REFERER)
    if reason is Reason.LOCALHOST_WITHOUT_TITLE or (app is not None and app.is_loopback):
        codes.append(WarningCode.LOCALHOST)
    if title is not None and title.casefold() in _GENERIC_TITLES:
        codes.append(WarningCode.GENERIC_TITLE)
    if app is None and ignored_browser_referer:
        codes.append(WarningCode.BROWSER_REFERER_IGNORED)
    if app is not None and is_intermediary(app):
        codes.append(WarningCode.KNOWN_INTERMEDIARY)
    return tuple(_WARNINGS[code] for code in codes)
