"""Where an upstream lives: scheme, host and port, or a socket in the file system."""

import re
from dataclasses import dataclass
from typing import Final

_HOST: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.\-]{0,251}[A-Za-z0-9_.])?")
_IPV6: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9_.\-]{1,32})?")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LONGEST_LABEL: Final = 63


@dataclass(frozen=True, slots=True)
class Origin:
    """One upstream address; connections are shared within an origin and never between two.

    `scheme` is "http" or "https"; `host` an ASCII name (IDNs in their xn-- form), an IPv4 or an IPv6 address, the last
    with or without brackets and kept without. Raises ValueError for anything else.
    """

    scheme: str
    host: str
    port: int

    def __post_init__(self) -> None:
        if self.scheme not in _DEFAULT_PORTS:
            raise ValueError(f"an upstream's scheme is http or https, not {self.scheme!r}")
        if not 1 <= self.port <= 65535:
            raise ValueError(f"an upstream's port is between 1 and 65535, not {self.port}")
        host = self.host
        if ":" in host and host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
            object.__setattr__(self, "host", host)
        if ":" in host:
            if _IPV6.fullmatch(host) is None:
                raise ValueError(f"{host!r} is not an IPv6 address")
        elif _HOST.fullmatch(host) is None or max(map(len, host.split("."))) > _LONGEST_LABEL:
            raise ValueError(f"{host!r} is not a host name; write an international name in its xn-- form")

    @property
    def authority(self) -> bytes:
        """The value of the Host header: IPv6 in brackets and without its zone, the port only when not the default.

        RFC 9110 section 7.2 and RFC 6874.
        """
        host = f"[{self.host.partition('%')[0]}]" if ":" in self.host else self.host
        return (host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}").encode("ascii")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixOrigin:
    """A server behind a Unix socket, which speaks HTTP without TLS; `path` may be longer than a socket's address."""

    path: str

    @property
    def scheme(self) -> str:
        """Always "http"."""
        return "http"

    @property
    def authority(self) -> bytes:
        """The value of the Host header of requests that bring none."""
        return b"localhost"

    def __str__(self) -> str:
        return f"unix:{self.path}"
