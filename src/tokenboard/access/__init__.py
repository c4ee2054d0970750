"""Who may do what: a bearer key in, the key's record out, or a 401 or 403 that says how to mend it.

    Authorization: Bearer tb-… ─▶ SHA-256 ─▶ key ring (memory) ─▶ scope? ─▶ Key

The ring is a copy of the catalog's keys; it is read anew when the catalog says that keys have changed, and before a
secret is called unknown.
"""

from tokenboard.access.access import Access
from tokenboard.access.refused import Peer

__all__ = ["Access", "Peer"]
