"""Settings of attribution: the operator's rules for clients that cannot set headers, and the browser's Referer."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tokenboard.attribution.identity import AppIdentity
from tokenboard.attribution.reason import RefererError
from tokenboard.attribution.title import clean_title
from tokenboard.attribution.url import canonical_url, decoded


@dataclass(frozen=True, slots=True)
class AttributionRule:
    """Requests of one key, or of clients whose User-Agent begins so, belong to the app at `url`.

    Exactly one of `key_label` (compared exactly) and `user_agent_prefix` (compared without regard to case) is given.
    `title`, when given, names the app in place of the title headers; it is cleaned as those are. `app` is the identity
    that the rule gives.

    Raises ValueError, with a sentence for the operator, when the rule could never give an app.
    """

    url: str
    key_label: str | None = None
    user_agent_prefix: str | None = None
    title: str | None = None
    app: AppIdentity = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if (self.key_label is None) == (self.user_agent_prefix is None):
            raise ValueError("an attribution rule needs exactly one of key_label and user_agent_prefix")
        if not (self.key_label or self.user_agent_prefix):
            raise ValueError("an attribution rule's key_label or user_agent_prefix must not be empty")
        title = None if self.title is None else clean_title(self.title)
        if self.title is not None and title is None:
            raise ValueError(f"the title {self.title!r} of an attribution rule is empty or a placeholder")
        try:
            app = AppIdentity.of(canonical_url(self.url), title)
        except RefererError as error:
            raise ValueError(f"the url {self.url!r} of an attribution rule names no app: {error}") from error
        # A frozen value sets its derived fields this way.
        object.__setattr__(self, "title", title)
        object.__setattr__(self, "app", app)

    def applies(self, key_label: str | None, user_agent: str) -> bool:
        """Whether a request with this key's label and this User-Agent is the rule's."""
        if self.key_label is not None:
            return self.key_label == key_label
        prefix = self.user_agent_prefix
        return prefix is not None and user_agent[: len(prefix)].lower() == prefix.lower()


@dataclass(frozen=True, slots=True)
class AttributionOptions:
    """What an operator can set.

    `browser_referer`: use the browser's `Referer` where `HTTP-Referer` names no app; its origin only.
    `rules`: used only when the headers give nothing; the first that applies wins.
    """

    browser_referer: bool = False
    rules: tuple[AttributionRule, ...] = ()


def first_rule(
    rules: Iterable[AttributionRule], key_label: str | None, user_agents: Iterable[bytes]
) -> AttributionRule | None:
    """Return the first rule that applies, in the operator's order."""
    user_agent = next((decoded(value).strip() for value in user_agents), "")
    return next((rule for rule in rules if rule.applies(key_label, user_agent)), None)
