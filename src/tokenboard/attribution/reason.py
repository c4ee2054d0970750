"""Why a request belongs to no app."""

from enum import StrEnum
from types import MappingProxyType


class Reason(StrEnum):
    """Why a request is counted as unattributed; the value is what the API, the metrics and the answer's header show."""

    MISSING_REFERER = "missing_referer"
    PLACEHOLDER_REFERER = "placeholder_referer"
    REFERER_TOO_LONG = "referer_too_long"
    INVALID_REFERER = "invalid_referer"
    LOCALHOST_WITHOUT_TITLE = "localhost_without_title"
    # Not known from the headers: set where apps are created, once a key has made its day's share of new ones.
    NEW_APP_LIMIT = "new_app_limit"


_HINTS = MappingProxyType(
    {
        Reason.MISSING_REFERER: "no URL was given: send the app's own URL, such as https://myapp.com, as HTTP-Referer",
        Reason.PLACEHOLDER_REFERER: "a template was left in: put the app's own URL in its place",
        Reason.REFERER_TOO_LONG: "the URL is too long: send the app's home page, without a query",
        Reason.INVALID_REFERER: "this is not the URL of an app: send one with a host, such as https://myapp.com",
        Reason.LOCALHOST_WITHOUT_TITLE: "many apps share a localhost URL: send X-OpenRouter-Title too, or a public URL",
        Reason.NEW_APP_LIMIT: "this key has created as many new apps today as it may: try again tomorrow",
    }
)


class RefererError(ValueError):
    """A value names no app. `reason` says why; the message also says how to mend it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"{reason}: {_HINTS[reason]}")
        self.reason = reason
