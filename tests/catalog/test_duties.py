"""Duties of the boards: held by one, claimed from just what was seen."""

from tokenboard.catalog import Catalog, Duty


def test_a_duty_is_claimed_from_what_was_seen_and_from_nothing_else(catalog: Catalog) -> None:
    assert catalog.duty("retention") is None
    assert Duty("a", 1) == catalog.claim_duty("retention", "a", None)
    assert catalog.claim_duty("retention", "b", None) is None, "b has not seen that a was quicker"
    assert Duty("a", 2) == catalog.claim_duty("retention", "a", Duty("a", 1))
    assert catalog.claim_duty("retention", "b", Duty("a", 1)) is None, "a is alive"
    assert Duty("b", 3) == catalog.claim_duty("retention", "b", Duty("a", 2))
    assert Duty("b", 3) == catalog.duty("retention")
    assert catalog.duty("other") is None
