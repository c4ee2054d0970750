import pytest

from tokenboard.gateway.upstream import Limits, Origin, Timeouts


@pytest.mark.parametrize(
    ("origin", "authority", "text"),
    [
        (Origin("http", "localhost", 80), b"localhost", "http://localhost:80"),
        (Origin("https", "api.example.com", 443), b"api.example.com", "https://api.example.com:443"),
        (Origin("https", "api.example.com", 80), b"api.example.com:80", "https://api.example.com:80"),
        (Origin("http", "127.0.0.1", 11434), b"127.0.0.1:11434", "http://127.0.0.1:11434"),
        (Origin("http", "::1", 8000), b"[::1]:8000", "http://[::1]:8000"),
        (Origin("http", "fe80::1%eth0", 80), b"[fe80::1]", "http://[fe80::1%eth0]:80"),
        (Origin("http", "vllm_1", 8000), b"vllm_1:8000", "http://vllm_1:8000"),
    ],
)
def test_an_origin_names_itself_as_host_and_as_text(origin: Origin, authority: bytes, text: str) -> None:
    assert (authority, text) == (origin.authority, str(origin))


def test_brackets_around_ipv6_are_taken_off() -> None:
    assert Origin("http", "::1", 80) == Origin("http", "[::1]", 80)


@pytest.mark.parametrize(
    "host", ["", "a b", "a/b", "a@b", "a\r\nb", "ü.example", "[x]", ":", "a" * 64, "-a", "a" * 300]
)
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"host name|IPv6"):
        Origin("http", host, 80)


def test_scheme_and_port_are_checked() -> None:
    with pytest.raises(ValueError, match="scheme"):
        Origin("ftp", "a", 21)
    for port in (0, 65536):
        with pytest.raises(ValueError, match="port"):
            Origin("http", "a", port)


def test_bounds_must_be_positive() -> None:
    with pytest.raises(ValueError, match="idle_s"):
        Timeouts(connect_s=1, first_byte_s=1, idle_s=0)
    with pytest.raises(ValueError, match="first_byte_s"):
        Timeouts(connect_s=1, first_byte_s=float("nan"), idle_s=1)
    with pytest.raises(ValueError, match="max_connections"):
        Limits(max_connections=0, max_idle=0, idle_keepalive_s=1)
    with pytest.raises(ValueError, match="max_waiting"):
        Limits(max_connections=1, max_idle=0, idle_keepalive_s=1, max_waiting=-1)
