"""Which app a request belongs to, from its headers alone.

    header pairs -> referer (values in order) -> url (canonical) -> identity
                 -> title   (clean name)           \\
                 -> categories (two of fifteen)     +-> Attribution: an app or a reason
                 -> rules (when the headers give nothing)

Pure: bytes in, one frozen `Attribution` out; no clock, no I/O, no log. A request is never refused because of its
attribution headers, so `attribute` never raises: what cannot be attributed carries a `Reason`.
"""

from tokenboard.attribution.attribution import READ, Attribution, attribute
from tokenboard.attribution.categories import (
    CATEGORIES,
    GROUPS,
    MAX_APP_CATEGORIES,
    IgnoredCategory,
    IgnoredReason,
    merge_categories,
)
from tokenboard.attribution.clients import client_family
from tokenboard.attribution.identity import AppIdentity
from tokenboard.attribution.notices import AttributionWarning, WarningCode
from tokenboard.attribution.reason import Reason, RefererError
from tokenboard.attribution.rules import AttributionOptions, AttributionRule
from tokenboard.attribution.title import can_be_seen, searchable
from tokenboard.attribution.url import canonical_url

__all__ = [
    "CATEGORIES",
    "GROUPS",
    "MAX_APP_CATEGORIES",
    "READ",
    "AppIdentity",
    "Attribution",
    "AttributionOptions",
    "AttributionRule",
    "AttributionWarning",
    "IgnoredCategory",
    "IgnoredReason",
    "Reason",
    "RefererError",
    "WarningCode",
    "attribute",
    "can_be_seen",
    "canonical_url",
    "client_family",
    "merge_categories",
    "searchable",
]
