"""Usage metered elsewhere: bodies of `POST /usage` and files, parsed, examined, and committed to the spool.

bytes ─▶ content coding ─▶ reports ─▶ Facts ─▶ examine ─▶ new ids only ─▶ one table ─▶ spool ─▶ Recorded
└──▶ Refused(field, reason), counted ◀─┘           └─▶ Dropped(reason)
"""

from tokenboard.ingest.content_coding import MAX_BYTES, decode_body
from tokenboard.ingest.ingest import MAX_AHEAD_MS, Ingest, Refused, examine
from tokenboard.ingest.reports import MAX_EVENTS, Parsed, parse_reports

__all__ = [
    "MAX_AHEAD_MS",
    "MAX_BYTES",
    "MAX_EVENTS",
    "Ingest",
    "Parsed",
    "Refused",
    "decode_body",
    "examine",
    "parse_reports",
]
