"""Requests made up, as bytes and as an application has to see them."""

from itertools import pairwise

from hypothesis import strategies as st

from tests.server.rig import Asked

token = st.text("abcXYZ019-_", min_size=1, max_size=12).map(str.encode)
value = st.text("ab c,;=\"'é", max_size=20).map(lambda text: text.strip().encode())


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, Asked]:
    """Return a valid request as bytes, and as an application has to see it."""
    method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS"]))
    path, query = b"/" + draw(token), draw(token)
    fields = [(b"Host", b"board"), *((b"X-" + name, text) for name, text in draw(st.lists(st.tuples(token, value))))]
    body = draw(st.binary(max_size=40))
    if draw(st.booleans()):
        fields.append((b"Transfer-Encoding", b"chunked"))
        cuts = sorted({0, len(body), *draw(st.lists(st.integers(0, len(body)), max_size=4))})
        pieces = [body[a:b] for a, b in pairwise(cuts)]
        extension = draw(st.sampled_from([b"", b";a=b"]))
        trailer = draw(st.sampled_from([b"", b"X-Trailer: t\r\n"]))
        sent = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
        sent += b"0\r\n" + trailer + b"\r\n"
    else:
        fields.append((b"Content-Length", b"%d" % len(body)))
        sent = body
    head = b"%b %b?%b HTTP/1.1\r\n" % (method.encode(), path, query)
    head += b"".join(name + b": " + text + b"\r\n" for name, text in fields)
    asked = Asked(method, path, query, tuple((name.lower(), text) for name, text in fields), body)
    return head + b"\r\n" + sent, asked
