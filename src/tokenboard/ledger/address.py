"""Where a ledger is, as [ledger] dsn says it: what clickhouse-connect's client is made from.

``clickhouse://user:password@host:port/database?secure=true&…`` as clickhouse-connect reads it, and ``clickhouses://``
for TLS; what may stand after the ``?`` is listed here, so that a misspelt one is an error and not silently nothing.
"""

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from tokenboard.ledger.errors import LedgerMisplaced

_FLAGS: Final = {
    "1": True,
    "true": True,
    "on": True,
    "yes": True,
    "0": False,
    "false": False,
    "off": False,
    "no": False,
}
_FLAG_NAMES: Final = frozenset({"secure", "verify"})
_NUMBER_NAMES: Final = frozenset({"connect_timeout", "send_receive_timeout"})
_TEXT_NAMES: Final = frozenset(
    {
        "ca_cert", "client_cert", "client_cert_key", "tls_mode", "server_host_name",
        "compress", "http_proxy", "https_proxy", "proxy_path", "client_name",
    }
)  # fmt: skip
_TLS_PORTS: Final = (443, 8443)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a ledger is: an embedded folder, or how to reach a server (``options`` of clickhouse-connect's client).

    Its text never shows a password.
    """

    folder: str | None = None
    database: str = "default"
    options: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def embedded(self) -> bool:
        """Whether the engine runs in this process."""
        return self.folder is not None


def parse_dsn(dsn: str, *, password: str = "") -> Address:
    """Return where a DSN leads; ``password`` is the one for a DSN that has none.

    Raises:
        LedgerMisplaced: it leads nowhere.

    """
    scheme, separator, rest = dsn.partition("://")
    if scheme == "chdb" and separator:
        return Address(folder=rest)
    if scheme not in {"clickhouse", "clickhouses"} or not separator:
        raise LedgerMisplaced("the ledger's DSN must begin with chdb://, clickhouse:// or clickhouses://")
    try:
        parts = urlsplit(dsn)
        host, port = parts.hostname, parts.port
        given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError as error:
        # Its text may hold a piece of the password.
        raise LedgerMisplaced("the ledger's DSN cannot be read: escape special characters as %40") from error
    options = _options(given)
    secure = options.pop("secure", scheme == "clickhouses" or port in _TLS_PORTS)
    if scheme == "clickhouses" and not secure:
        raise LedgerMisplaced("the ledger's DSN says clickhouses:// and secure=false")
    if not host:
        raise LedgerMisplaced("the ledger's DSN names no host")
    database = unquote(parts.path.strip("/")) or "default"
    if "/" in database:
        raise LedgerMisplaced("the ledger's DSN must end with the name of one database")
    username = unquote(parts.username or "") or "default"
    options |= {
        "host": host,
        "port": port or (8443 if secure else 8123),
        "interface": "https" if secure else "http",
        "username": username,
        "password": unquote(parts.password or "") or password,
        "database": database,
    }
    return Address(database=database, options=options)


def _options(given: dict[str, str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, value in given.items():
        if name in _FLAG_NAMES:
            if value.lower() not in _FLAGS:
                raise LedgerMisplaced(f"{name} in the ledger's DSN must be true or false")
            options[name] = _FLAGS[value.lower()]
        elif name in _NUMBER_NAMES:
            if not value.isdecimal() or not 0 < int(value) <= 3_600:
                raise LedgerMisplaced(f"{name} in the ledger's DSN must be a number of seconds")
            options[name] = int(value)
        elif name in _TEXT_NAMES:
            options[name] = value
        else:
            known = ", ".join(sorted(_FLAG_NAMES | _NUMBER_NAMES | _TEXT_NAMES))
            raise LedgerMisplaced(f"the ledger's DSN has an option that is none of: {known}")
    return options
