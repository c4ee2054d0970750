"""The canonical URL of an app: one spelling for all the ways in which clients write the same address."""

import contextlib
import ipaddress
import re
from types import MappingProxyType

import ada_url

from tokenboard.attribution.placeholder import holds_placeholder, is_placeholder_host
from tokenboard.attribution.reason import Reason, RefererError

MAX_VALUE_LENGTH = 2048
"""Characters of a value as it was sent, trimmed."""

MAX_CANONICAL_LENGTH = 512
"""Characters of a canonical URL."""

_PARTS = ("protocol", "hostname", "port", "pathname")
_DEFAULT_PORTS = MappingProxyType({"https": "443", "http": "80"})

# Everything Unicode calls white space, the control characters that the URL standard trims, and the byte order mark.
_TRIMMED = "".join(map(chr, range(0x21))) + "\x7f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff"
_TRIMMED += "".join(map(chr, range(0x2000, 0x200C)))

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_REMOVED = re.compile(r"[\t\n\r]")  # the URL standard removes these wherever they stand
_GUESSED_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.\-\u3002\uff0e\uff61]+)(?::[0-9]*)?")
_DOTS = re.compile(r"[.\u3002\uff0e\uff61]")
_ENCODED_NON_ASCII = re.compile(r"%[89a-f][0-9a-f]")

_OCTET = r"(?:0|[1-9][0-9]?|1[0-9][0-9]|2[0-4][0-9]|25[0-5])"
_LOOPBACK = re.compile(
    rf"(?:.*\.)?localhost|127(?:\.{_OCTET}){{3}}|0\.0\.0\.0"
    # The IPv6 twins: ::1, the unspecified address, and IPv4 mapped into IPv6, as the URL standard writes them.
    r"|\[::1?\]|\[::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}\]|\[::ffff:0:0\]"
)

# Schemes whose "host" is nobody's app: a local file, or text that a browser would run or show if it became a link.
_REFUSED_SCHEMES = frozenset({"about", "blob", "data", "file", "filesystem", "javascript", "vbscript", "view-source"})

_FORGES = frozenset({"github.com", "gitlab.com", "codeberg.org", "bitbucket.org", "huggingface.co"})
_FORGE = "|".join(re.escape(host) for host in sorted(_FORGES))
_GIT_SCHEMES = frozenset({"git", "git+git", "git+http", "git+https", "git+ssh", "ssh"})
# git@github.com:owner/name.git, as git itself writes it, and ssh://git@github.com:owner/name, as people do.
_GIT_ADDRESS = re.compile(
    rf"(?:(?:git\+)?ssh://)?[\w.-]+@(?:www\.)?({_FORGE}):(?!\d+(?:/|\Z))/?(.*)", re.IGNORECASE | re.DOTALL
)
_DOT_SEGMENTS = frozenset({"", ".", ".."})


def canonical_url(value: bytes | str, *, origin_only: bool = False) -> str:
    """Return the canonical form of one URL: ASCII, at most 512 characters, and its own canonical form.

    `https://host[:port][/path]` for http and https, `http://host[:port]` for loopback hosts whatever their scheme (and
    for nothing else: see `is_loopback`), `scheme://host[:port]` for other schemes; what git calls a code
    forge's repository (`git+ssh://…`, `git@host:path`) is its https address. Bytes are read as UTF-8, else
    latin-1. With `origin_only` the path is dropped.

    Parsing follows the WHATWG URL standard (https://url.spec.whatwg.org/). What it leaves open is decided so:
    a port is dropped when it is the default of the scheme sent or of the scheme written (`http://x.com:443`, but not
    `https://x.com:80`); a host that holds a comma or ends in more than one dot names nothing; without a scheme a host
    is letters, digits, hyphens, underscores and dots, with no user info.

    Raises RefererError with the reason: missing_referer, placeholder_referer, referer_too_long or invalid_referer.
    """
    text = (value if isinstance(value, str) else decoded(value)).strip(_TRIMMED)
    if not text:
        raise RefererError(Reason.MISSING_REFERER)
    # The placeholder is sought in what the parser will see, so that a tab inside cannot hide one.
    address = _REMOVED.sub("", text)
    if holds_placeholder(address):
        raise RefererError(Reason.PLACEHOLDER_REFERER)
    if len(text) > MAX_VALUE_LENGTH:
        raise RefererError(Reason.REFERER_TOO_LONG)
    git = _GIT_ADDRESS.fullmatch(address)
    if git is not None:
        address = f"https://{git[1]}/{git[2]}"
    elif _SCHEME.match(address) is None:
        address = _with_scheme(address)
    canonical = _canonical(address, origin_only)
    if len(canonical) > MAX_CANONICAL_LENGTH:
        raise RefererError(Reason.REFERER_TOO_LONG)
    return canonical


def is_loopback(canonical: str) -> bool:
    """Whether a canonical URL is a loopback address: no other is written with http."""
    return canonical.startswith("http://")


def decoded(value: bytes) -> str:
    """Read header bytes as UTF-8, else as latin-1, which takes any byte."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _with_scheme(address: str) -> str:
    """Complete `myapp.com/tools`, `//myapp.com`, `localhost:3000`, `[::1]` or `::1`; anything else is no address."""
    rest = address.removeprefix("//")
    authority = re.split(r"[/\\?#]", rest, maxsplit=1)[0]
    if authority.count(":") > 1 and not authority.startswith("["):
        try:
            ipaddress.IPv6Address(authority)
        except ValueError:
            raise RefererError(Reason.INVALID_REFERER) from None
        return f"http://[{authority}]{rest[len(authority) :]}"
    host = _GUESSED_HOST.fullmatch(authority)
    if host is None:
        raise RefererError(Reason.INVALID_REFERER)
    name = _DOTS.sub(".", host[1]).strip(".")
    if not name.startswith("[") and "." not in name and name.lower() != "localhost":
        raise RefererError(Reason.INVALID_REFERER)
    return f"http://{rest}"


def _canonical(address: str, origin_only: bool) -> str:
    scheme, host, port, path = _parsed(address)
    if scheme in _REFUSED_SCHEMES:
        raise RefererError(Reason.INVALID_REFERER)
    host = _host(host)
    if is_placeholder_host(host):
        raise RefererError(Reason.PLACEHOLDER_REFERER)
    if _LOOPBACK.fullmatch(host) is not None:
        if scheme not in _DEFAULT_PORTS:
            # Outside the standard's special schemes a host is not normalised, and this one is written with http now.
            return _canonical(_joined("http", host, port), origin_only)
        return _joined("http", host, port)
    if scheme in _GIT_SCHEMES and host.removeprefix("www.") in _FORGES:
        return _canonical(f"https://{host}{path}", origin_only)
    if scheme not in _DEFAULT_PORTS:
        return _joined(scheme, host, port)
    while host.startswith("www.") and "." in host[5:] and host[4] != ".":
        host = host[4:]
    origin = _joined("https", host, port)
    if origin_only:
        return origin
    return origin + (_forge_path(host, path) if host in _FORGES else path.rstrip("/"))


def _parsed(address: str) -> tuple[str, str, str, str]:
    """Parse by the URL standard into scheme, host, port (empty when it is the scheme's default) and path."""
    try:
        parts = ada_url.parse_url(address, _PARTS)
    except ValueError:
        raise RefererError(Reason.INVALID_REFERER) from None
    return parts["protocol"][:-1], parts["hostname"], parts["port"], parts["pathname"]


def _host(hostname: str) -> str:
    """Lower-case, IDN as punycode, without the trailing dot, for every scheme alike."""
    host = hostname.lower()
    if _ENCODED_NON_ASCII.search(host) is not None:
        # Only hosts of schemes that the standard does not know keep percent-encoding: read this one as a domain.
        # What is none is an opaque name of that scheme, kept as it is.
        with contextlib.suppress(RefererError):
            host = _parsed(f"https://{host}")[1]
    host = host.removesuffix(".")
    if not host or host.endswith(".") or "," in host:
        raise RefererError(Reason.INVALID_REFERER)
    return host


def _joined(scheme: str, host: str, port: str) -> str:
    if not port or port == _DEFAULT_PORTS.get(scheme):
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{port}"


def _forge_path(host: str, path: str) -> str:
    """Keep the repository: `/owner/name`, on huggingface.co `/spaces/owner/name` and `/datasets/owner/name` too.

    On gitlab.com groups nest to any depth, and what follows the repository begins with `/-/`.
    """
    segments = [segment for segment in path.lower().split("/") if segment]
    if host == "gitlab.com":
        segments = segments[: segments.index("-") if "-" in segments else None]
    else:
        deep = host == "huggingface.co" and segments[:1] in (["spaces"], ["datasets"])
        segments = segments[: 3 if deep else 2]
    while segments:
        name = segments.pop()
        while name.endswith(".git"):
            name = name.removesuffix(".git")
        # "...git" would leave "..", which the next parser would walk up.
        if name.replace("%2e", ".") not in _DOT_SEGMENTS:
            segments.append(name)
            break
    return "".join(f"/{segment}" for segment in segments)
