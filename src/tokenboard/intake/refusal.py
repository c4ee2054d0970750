"""Why a use was not taken: every reason, by name."""

from enum import StrEnum


class RefusalReason(StrEnum):
    """A reason for which intake, or the parser in front of it, refuses a use. The values are part of the API."""

    SPOOL_FULL = "spool_full"
    SPOOL_UNAVAILABLE = "spool_unavailable"
    INVALID_JSON = "invalid_json"
    NOT_AN_OBJECT = "not_an_object"
    MISSING = "missing"
    WRONG_TYPE = "wrong_type"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    BAD_TIME = "bad_time"
    TIME_AHEAD = "time_ahead"
    BEFORE_DATASET = "before_dataset"
    OUT_OF_RANGE = "out_of_range"
    BAD_CHARACTER = "bad_character"
    PART_OVER_WHOLE = "part_over_whole"
