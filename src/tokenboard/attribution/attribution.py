"""From a request's headers to the app that it belongs to."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from tokenboard.attribution.categories import IgnoredCategory, read_categories
from tokenboard.attribution.identity import AppIdentity
from tokenboard.attribution.intermediaries import intermediary_name
from tokenboard.attribution.notices import AttributionWarning, warnings
from tokenboard.attribution.reason import Reason
from tokenboard.attribution.referer import identify
from tokenboard.attribution.rules import AttributionOptions, AttributionRule, first_rule
from tokenboard.attribution.title import first_title

READ = frozenset(
    {b"http-referer", b"referer", b"x-openrouter-title", b"x-title", b"x-openrouter-categories", b"user-agent"}
)
"""The names of all headers that are read: whatever the others say, the attribution is the same."""

_DEFAULT_OPTIONS = AttributionOptions()

# Clients repeat the same headers with every request. The cache holds at most this many header sets of at most this many
# bytes each, 4 MB in all; longer ones are read anew.
_CACHED_SETS = 1024
_CACHED_BYTES = 4096


class _Lines(NamedTuple):
    """The values of the headers that can matter, in the order of the request."""

    referers: tuple[bytes, ...]
    browser_referers: tuple[bytes, ...]
    titles: tuple[bytes, ...]
    old_titles: tuple[bytes, ...]
    categories: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Attribution:
    """Which app a request belongs to, or why to none: exactly one of `app` and `reason` is None.

    `title` is the clean title that the request carried (or the rule's), also when it is untracked; `title_source` the
    lower-case name of the header that gave it, None for a rule's. `categories` are the accepted ones, to be merged into
    the app's only when it is tracked. `rule` is the operator's rule that gave the app, when the headers gave nothing.
    """

    app: AppIdentity | None
    reason: Reason | None
    title: str | None = None
    title_source: str | None = None
    categories: tuple[str, ...] = ()
    ignored: tuple[IgnoredCategory, ...] = ()
    warnings: tuple[AttributionWarning, ...] = ()
    rule: AttributionRule | None = None

    @property
    def tracked(self) -> bool:
        """Whether the request belongs to an app."""
        return self.app is not None

    @property
    def name(self) -> str | None:
        """What to call the app by this request alone: its title, else its URL without the scheme. None if untracked."""
        if self.app is None:
            return None
        return self.naming_title or self.app.display_name

    @property
    def naming_title(self) -> str | None:
        """The title that names the app: the request's, but a known intermediary's own name whatever it sends."""
        if self.app is None:
            return self.title
        return intermediary_name(self.app) or self.title


def attribute(
    headers: Iterable[tuple[bytes, bytes]],
    options: AttributionOptions = _DEFAULT_OPTIONS,
    *,
    key_label: str | None = None,
) -> Attribution:
    """Attribute a request by its raw header pairs, in order, their names in any case. Never raises.

    The order of what can name the app: every value of `HTTP-Referer`; the browser's `Referer`, if the options allow it
    (where it names nothing, it is as if absent); the operator's rules, if there was no `HTTP-Referer` at all.
    `key_label` is the label of the API key that the request came with.
    """
    referers: list[bytes] = []
    browser_referers: list[bytes] = []
    titles: list[bytes] = []
    old_titles: list[bytes] = []
    categories: list[bytes] = []
    user_agents: list[bytes] = []
    wanted = {
        b"http-referer": referers,
        b"referer": browser_referers,
        b"x-openrouter-title": titles,
        b"x-title": old_titles,
        b"x-openrouter-categories": categories,
        b"user-agent": user_agents,
    }
    size = 0
    for name, value in headers:
        lines = wanted.get(name.lower())
        if lines is not None:
            lines.append(value)
            size += len(value)

    if browser_referers and not options.browser_referer:
        browser_referers = [b""]  # that there was one is all that matters: every page of a site gives the same answer
    read = _read_cached if size <= _CACHED_BYTES else _read
    attribution = read(
        _Lines(tuple(referers), tuple(browser_referers), tuple(titles), tuple(old_titles), tuple(categories)),
        options.browser_referer,
    )
    if options.rules and attribution.reason is Reason.MISSING_REFERER:
        rule = first_rule(options.rules, key_label, user_agents)
        if rule is not None:
            return _by_rule(attribution, rule)
    return attribution


def _read(lines: _Lines, browser_referer: bool) -> Attribution:
    title, title_source = first_title(lines.titles), "x-openrouter-title"
    if title is None:
        title, title_source = first_title(lines.old_titles), "x-title"

    outcome = identify(lines.referers, title)
    if browser_referer and isinstance(outcome, Reason):
        origin = identify(lines.browser_referers, title, origin_only=True)
        if not isinstance(origin, Reason):
            outcome = origin
    app, reason = (None, outcome) if isinstance(outcome, Reason) else (outcome, None)

    accepted, ignored = read_categories(lines.categories)
    ignored_browser_referer = bool(lines.browser_referers) and not browser_referer
    return Attribution(
        app=app,
        reason=reason,
        title=title,
        title_source=None if title is None else title_source,
        categories=accepted,
        ignored=ignored,
        warnings=warnings(app, reason, title, ignored_browser_referer=ignored_browser_referer),
    )


_read_cached = lru_cache(maxsize=_CACHED_SETS)(_read)


def _by_rule(attribution: Attribution, rule: AttributionRule) -> Attribution:
    title = rule.title or attribution.title
    return replace(
        attribution,
        app=rule.app,
        reason=None,
        title=title,
        title_source=None if rule.title else attribution.title_source,
        warnings=warnings(rule.app, None, title, ignored_browser_referer=False),
        rule=rule,
    )
