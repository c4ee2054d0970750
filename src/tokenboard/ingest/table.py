"""The uses of one report as a table of events: thousands at once, without an object for each."""

from collections.abc import Sequence

import pyarrow as pa

from tokenboard.event_table import event_table
from tokenboard.intake.facts import Facts
from tokenboard.usage import Usage

_UNCOUNTED = Usage()


def report_table(facts: Sequence[Facts], received_ms: int, *, max_model: int, max_provider: int) -> pa.Table:
    """Return the uses as a table of events, in order; names of models and providers are cut to so many characters."""
    # The apps of one report are few, and those of equal headers are one object: what is made of it is made once.
    who = [use.attribution for use in facts]
    key_of = {id(each): each.app.key if each.app else None for each in who}
    title_of = {id(each): each.naming_title for each in who}
    reason_of = {id(each): each.reason.value if each.reason else None for each in who}
    usage = [_UNCOUNTED if use.failed else use.usage for use in facts]
    callers = [use.caller for use in facts]
    return event_table(
        {
            "id": [use.id for use in facts],
            "ts_ms": [use.ts_ms for use in facts],
            "received_ms": [received_ms] * len(facts),
            "source": [use.source for use in facts],
            "account_id": [caller.account_id for caller in callers],
            "key_id": [caller.key_id for caller in callers],
            "app_key": [key_of[id(each)] for each in who],
            "reason": [reason_of[id(each)] for each in who],
            "title": [title_of[id(each)] for each in who],
            "categories": [each.categories for each in who],
            "model": [use.model[:max_model] for use in facts],
            "provider": [use.provider[:max_provider] for use in facts],
            "endpoint": [use.endpoint for use in facts],
            "streamed": [use.streamed for use in facts],
            "status": [use.status for use in facts],
            "failed": [use.failed for use in facts],
            "usage_source": [use.usage.source for use in facts],
            "prompt_tokens": [each.prompt_tokens for each in usage],
            "completion_tokens": [each.completion_tokens for each in usage],
            "cached_tokens": [each.cached_tokens for each in usage],
            "reasoning_tokens": [each.reasoning_tokens for each in usage],
            "cost": [each.cost for each in usage],
            "latency_ms": [use.latency_ms for use in facts],
            "first_token_ms": [use.first_token_ms for use in facts],
            "tool_calls": [None if use.failed else use.tool_calls for use in facts],
        }
    )
