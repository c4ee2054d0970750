"""Who may do what: a bearer key in, the key's record out, or a 401 or 403 that says how to mend it.

    Authorization: Bearer tb-… ─▶ SHA-256 ─▶ key ring (memory) ─▶ scope? ─▶ Key

The ring is a copy of the catalog's keys; the follower reads it anew when the catalog says that keys have changed, and a
change made here, or by a command, is answered only once that is done. No check reads a store. A browser that has shown
a key is known again by its session.
"""

from tokenboard.auth.auth import Auth, KeySource
from tokenboard.auth.refused import Peer
from tokenboard.auth.sessions import LASTS_S, LONGEST_TOKEN, MAX_PER_KEY, Sessions, token_digest

__all__ = ["LASTS_S", "LONGEST_TOKEN", "MAX_PER_KEY", "Auth", "KeySource", "Peer", "Sessions", "token_digest"]
