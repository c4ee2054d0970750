"""tokenboard: which apps use which models, and how much.

    request ─▶ gateway ─▶ attribution (who)  ┐
                      └─▶ usage (how much)   ├─▶ event ─▶ spool ─▶ drain ─▶ ledger ─▶ rankings ─▶ api
    POST /usage (intake: the one door) ──────┘                       └▶ catalog ─────┘

One direction: left of the ledger nothing reads back, right of it nothing writes usage. Importing anything here does
nothing; `tokenboard.app` puts the parts together.
"""

__version__ = "0.1.0"
