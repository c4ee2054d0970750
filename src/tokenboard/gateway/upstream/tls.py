"""How an upstream's certificate is checked, and which one it is shown."""

import ssl
from pathlib import Path


def client_context(
    ca_file: Path | None, *, verify: bool, cert_file: Path | None = None, key_file: Path | None = None
) -> ssl.SSLContext:
    """Return a context for connections to an https upstream, over HTTP/1.1.

    ``ca_file`` is a PEM file of the authorities trusted instead of the system's. With ``verify`` off neither the chain
    nor the host name is looked at: whoever sits on the way can read keys, prompts and answers. ``cert_file`` is our own
    certificate in PEM, with its chain, for upstreams that ask for one; its private key is in it, or in ``key_file``.
    A key under a passphrase is refused: nobody is there to be asked for it.

    Raises:
        ValueError: a file cannot be read, or does not hold what it should.

    """
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except OSError as error:  # ssl.SSLError is one: the file is no PEM
        reason = "it holds no PEM certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise ValueError(f"tls_ca_file {ca_file} cannot be used: {reason}") from error
    if cert_file is not None:
        try:
            context.load_cert_chain(cert_file, key_file, password=_no_passphrase)
        except (OSError, ValueError) as error:
            raise ValueError(f"tls_cert_file {cert_file} cannot be used: {_what_is_wrong(error)}") from error
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _no_passphrase() -> str:
    raise ValueError("its private key is under a passphrase")


def _what_is_wrong(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return "it and tls_key_file hold no PEM certificate with its private key"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
