"""How an upstream's certificate is checked."""

import ssl
from pathlib import Path


def client_context(ca_file: Path | None, *, verify: bool) -> ssl.SSLContext:
    """Return a context for connections to an https upstream, over HTTP/1.1.

    ``ca_file`` is a PEM file of the authorities trusted instead of the system's. With ``verify`` off neither the chain
    nor the host name is looked at: whoever sits on the way can read keys, prompts and answers.

    Raises:
        ValueError: the file cannot be read or holds no certificate.

    """
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except OSError as error:  # ssl.SSLError is one: the file is no PEM
        reason = "it holds no PEM certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise ValueError(f"tls_ca_file {ca_file} cannot be used: {reason}") from error
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
