import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.upstream_server import HELLO, LIMITS, OK, PATIENT, Peer, run, until, upstream
from tokenboard.gateway import HttpUpstream, UpstreamSpec
from tokenboard.gateway.upstream import (
    ConnectFailed,
    ConnectTimeout,
    Origin,
    Pool,
    Response,
    ResponseBroken,
    Timeouts,
    client_context,
)

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="no openssl binary to make a certificate with")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = [str(OPENSSL), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return certificate, key


def server_side(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


async def get(pool: Pool) -> Response:
    return await pool.send(b"GET", b"/", [], b"")


async def hello_forever(peer: Peer) -> None:
    while True:
        await peer.answer()


def test_tls_connections_are_checked_named_and_kept(certificate: tuple[Path, Path]) -> None:
    async def main() -> None:
        names = []
        tls = server_side(certificate)
        tls.sni_callback = lambda _socket, name, _context: names.append(name)
        async with upstream(hello_forever, tls=tls) as there:
            trusting = ssl.create_default_context(cafile=str(certificate[0]))
            origin = Origin("https", "localhost", there.origin.port)
            pool = Pool(origin, limits=LIMITS, timeouts=PATIENT, ssl_context=trusting)
            for _ in range(5):
                response = await get(pool)
                assert b"hello" == await response.read_chunk()
                await until(lambda: pool.idle == 1)
            assert (["localhost"], 1) == (names, there.accepted)
            await pool.aclose()
            await until(lambda: there.open == 0)

    run(main)


def test_an_unknown_authority_or_another_name_is_a_connect_failure(certificate: tuple[Path, Path]) -> None:
    async def main() -> None:
        async with upstream(hello_forever, tls=server_side(certificate)) as there:
            asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)  # the server's handshakes
            trusting = ssl.create_default_context(cafile=str(certificate[0]))
            for host, context in (("localhost", None), ("127.0.0.1", trusting)):
                origin = Origin("https", host, there.origin.port)
                pool = Pool(origin, limits=LIMITS, timeouts=PATIENT, ssl_context=context)
                with pytest.raises(ConnectFailed, match="certificate verify failed"):
                    await get(pool)
                assert 0 == pool.slots_taken
                await pool.aclose()

    run(main)


def test_a_server_without_tls_or_without_a_word_is_refused(certificate: tuple[Path, Path]) -> None:
    async def main() -> None:
        async def plain(peer: Peer) -> None:
            await peer.reader.read(1)
            await peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await peer.hear_the_end()

        async def silent(peer: Peer) -> None:
            await peer.hear_the_end()

        expected: tuple[tuple[object, type[Exception]], ...] = ((plain, ConnectFailed), (silent, ConnectTimeout))
        for handler, error in expected:
            async with upstream(handler) as there:  # type: ignore[arg-type]
                origin = Origin("https", "localhost", there.origin.port)
                timeouts = Timeouts(connect_s=0.05 if handler is silent else 5.0, first_byte_s=5.0, idle_s=5.0)
                pool = Pool(origin, limits=LIMITS, timeouts=timeouts)
                with pytest.raises(error):
                    await get(pool)
                assert 0 == pool.slots_taken
                await until(lambda there=there: there.open == 0)  # type: ignore[misc]

    run(main)


def test_an_answer_that_ends_with_the_tls_connection_is_complete(certificate: tuple[Path, Path]) -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.answer(OK + b"\r\nhello")

        async with upstream(handler, tls=server_side(certificate)) as there:
            trusting = ssl.create_default_context(cafile=str(certificate[0]))
            origin = Origin("https", "localhost", there.origin.port)
            pool = Pool(origin, limits=LIMITS, timeouts=PATIENT, ssl_context=trusting)
            response = await get(pool)
            assert [b"hello", b""] == [await response.read_chunk(), await response.read_chunk()]
            assert (True, 0) == (response.complete, pool.slots_taken)
            await pool.aclose()

    run(main)


@pytest.mark.parametrize("framing", [b"Content-Length: 9\r\n", b""])
def test_a_tls_stream_that_is_cut_is_broken_also_when_only_the_close_would_end_it(
    certificate: tuple[Path, Path], framing: bytes
) -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.answer(OK + framing + b"\r\nhello")
            peer.writer.transport.abort()

        async with upstream(handler, tls=server_side(certificate)) as there:
            trusting = ssl.create_default_context(cafile=str(certificate[0]))
            origin = Origin("https", "localhost", there.origin.port)
            pool = Pool(origin, limits=LIMITS, timeouts=PATIENT, ssl_context=trusting)
            response = await get(pool)
            assert b"hello" == await response.read_chunk()
            with pytest.raises(ResponseBroken):
                await response.read_chunk()
            await pool.aclose()

    run(main)


def test_a_request_that_had_arrived_below_tls_is_not_sent_again(certificate: tuple[Path, Path]) -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.answer(HELLO)
            await peer.hear()
            peer.writer.transport.abort()

        async with upstream(handler, tls=server_side(certificate)) as there:
            trusting = ssl.create_default_context(cafile=str(certificate[0]))
            origin = Origin("https", "localhost", there.origin.port)
            pool = Pool(origin, limits=LIMITS, timeouts=PATIENT, ssl_context=trusting)
            response = await get(pool)
            assert b"hello" == await response.read_chunk()
            with pytest.raises(ResponseBroken) as caught:
                await get(pool)
            assert (True, 1) == (caught.value.sent, there.accepted)
            await pool.aclose()

    run(main)


def test_a_context_for_a_plain_origin_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="does not use TLS"):
        Pool(
            Origin("http", "a", 80),
            limits=LIMITS,
            timeouts=PATIENT,
            ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )


# -- what the settings say of it


async def list_no_models(peer: Peer) -> None:
    while True:
        await peer.answer(OK + b'Content-Length: 12\r\n\r\n{"data": []}')


async def fault(url: str, **given: Any) -> str | None:
    asked = HttpUpstream(UpstreamSpec("up", url, **given), ())
    try:
        return await asked.probe()
    finally:
        await asked.aclose()


def test_a_certificate_is_checked_against_the_file_against_the_systems_or_not_at_all(
    certificate: tuple[Path, Path],
) -> None:
    async def main() -> None:
        async with upstream(list_no_models, tls=server_side(certificate)) as there:
            url = f"https://localhost:{there.origin.port}"
            assert "verify failed" in str(await fault(url))
            assert await fault(url, tls_ca_file=certificate[0]) is None
            elsewhere = url.replace("localhost", "127.0.0.1")
            assert "mismatch" in str(await fault(elsewhere, tls_ca_file=certificate[0]))
            assert await fault(elsewhere, tls_verify=False) is None

    run(main)


def test_a_file_of_authorities_that_is_none_is_named(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    for file, said in ((tmp_path / "none.pem", "No such file"), (certificate[1], "it holds no PEM certificate")):
        with pytest.raises(ValueError, match=f"tls_ca_file .*{file.name} cannot be used: {said}"):
            client_context(file, verify=True)


def test_an_upstream_that_asks_for_a_certificate_is_shown_ours(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(certificate[0].read_bytes() + certificate[1].read_bytes())

    async def main() -> None:
        asking = server_side(certificate)
        asking.verify_mode = ssl.CERT_REQUIRED
        asking.load_verify_locations(certificate[0])
        async with upstream(list_no_models, tls=asking) as there:
            url = f"https://localhost:{there.origin.port}"
            trusting: dict[str, Any] = {"tls_ca_file": certificate[0]}
            assert await fault(url, **trusting) is not None
            assert await fault(url, tls_cert_file=certificate[0], tls_key_file=certificate[1], **trusting) is None
            assert await fault(url, tls_cert_file=both, **trusting) is None

    run(main)


def test_a_certificate_of_ours_that_cannot_be_used_is_named(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    locked = tmp_path / "locked.pem"
    command = [
        str(OPENSSL),
        "ec",
        "-in",
        str(certificate[1]),
        "-aes256",
        "-passout",
        "pass:secret",
        "-out",
        str(locked),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    for cert, key, said in (
        (tmp_path / "none.pem", None, "No such file"),
        (certificate[0], None, "it and tls_key_file hold no PEM certificate with its private key"),
        (certificate[0], locked, "its private key is under a passphrase"),
    ):
        with pytest.raises(ValueError, match=f"tls_cert_file .*{cert.name} cannot be used: {said}"):
            client_context(None, verify=True, cert_file=cert, key_file=key)
