"""tokenboard: which apps use which models, and how much.

    request ─▶ gateway ─▶ attribution (who)  ┐
                      └─▶ usage (how much)   ├─▶ event ─▶ spool ─▶ drain ─▶ ledger ─▶ rankings ─▶ api
    POST /usage (ingest) ────────────────────┘                       └▶ catalog ─────┘

One direction: left of the ledger nothing reads back, right of it nothing writes usage. Importing anything here does
nothing, except that compiled modules which are not those of the sources are passed over; `tokenboard.app` puts the
parts together.
"""

from tokenboard.build_form import settle_form

__version__ = "0.1.0"

BUILD_FORM = settle_form()
"""Whether the hot modules run compiled, and why not."""
