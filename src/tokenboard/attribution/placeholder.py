"""Templates that a copied quickstart left unfilled: `<YOUR_SITE_URL>`, `${X}`, `{{x}}`, `YOUR_SITE_URL`."""

import re
from urllib.parse import unquote

# Nothing below can match a text without one of these, which is nearly every text.
_HINT = re.compile(r"[<{\[$%_]|your|env\.", re.IGNORECASE)

_TEMPLATE = re.compile(r"<[^<>]*>|\$\{[^{}]*\}|\{\{[^{}]*\}\}")

_WHOLE = re.compile(
    r"""
      <[^<>]*>  |  \$\{[^{}]*\}  |  \{\{[^{}]*\}\}          # <X>  ${X}  {{x}}
    | \{[a-z_][\w .-]*\}  |  \[your\b[^\[\]]*\]             # {site_url}  [Your site]
    | \[your_[^\[\]]*\]                                     # [YOUR_SITE_URL]
    | \$[a-z]\w*_\w*  |  %[a-z]\w*_\w*%  |  __[a-z]\w*__    # $SITE_URL  %SITE_URL%  __SITE_URL__
    | your_\w+                                              # YOUR_SITE_URL
    | your[ -]?(?:site|app|application|project|website|domain)(?:[ -]?(?:url|name|title))?
    | (?:process\.env|import\.meta\.env)\.\w+               # the expression itself, sent as a text
    """,
    re.IGNORECASE | re.VERBOSE,
)

_HOST = re.compile(r"[{}<>$]|(?:^|\.)your_|^your-[^.]*$")


def is_placeholder(text: str) -> bool:
    """Whether a whole trimmed value is a template, in any case, percent-encoded or not."""
    if _HINT.search(text) is None:
        return False
    return _WHOLE.fullmatch(text) is not None or ("%" in text and _WHOLE.fullmatch(unquote(text)) is not None)


def holds_placeholder(text: str) -> bool:
    """Whether a URL's text is a template, or holds one before its query (`https://<your-site>/`, `/%7B%7Bx%7D%7D`).

    A template in the query or the fragment is no fault: those are dropped anyway.
    """
    if _HINT.search(text) is None:
        return False
    if is_placeholder(text):
        return True
    address = re.split(r"[?#]", text, maxsplit=1)[0]
    return _TEMPLATE.search(address) is not None or ("%" in address and _TEMPLATE.search(unquote(address)) is not None)


def is_placeholder_host(host: str) -> bool:
    """Whether a parsed, lower-case host was a template: `${host}`, `your_site_url`, `your_site.com`, `your-site-url`.

    The URL standard lets braces, dollars and underscores through in a host. `your-site.com` and `yourapp.com` can be
    real hosts, and pass.
    """
    return _HOST.search(host) is not None
