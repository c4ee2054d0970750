"""A store that does not answer in time: whoever asks is told which one, and how long it was waited for."""

import threading

import pytest

from tests.analytics.rig import Rig, Use


def test_a_ledger_that_does_not_answer_in_time_is_named_with_the_seconds(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.use(Use())
    (app_id,) = rig.ids.values()
    monkeypatch.setattr(rig.ledger._connections, "timeout_s", 0.05)
    release = threading.Event()
    rig.ledger._connections._asking.submit(release.wait, 60)
    try:
        answer = rig.client.get(f"/api/v1/apps/{app_id}/usage")
    finally:
        release.set()

    assert (503, "The ledger did not answer within 0.05 s; try again later.", "2") == (
        answer.status_code,
        answer.json()["error"]["message"],
        answer.headers["Retry-After"],
    )
    monkeypatch.setattr(rig.ledger._connections, "timeout_s", 60.0)
    assert 200 == rig.client.get(f"/api/v1/apps/{app_id}/usage").status_code
