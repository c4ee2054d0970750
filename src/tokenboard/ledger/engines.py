"""The one place that names table engines: the same schema files serve the embedded engine and a server."""

from dataclasses import dataclass

DEDUPLICATION_WINDOW = 10_000
"""Blocks remembered per table. A batch makes one block per month it touches, and only the batch last sent is ever
retried: it is remembered, by far."""


@dataclass(frozen=True, slots=True)
class Engines:
    """What ``$…`` stands for in the schema files."""

    merge_tree: str
    summing_merge_tree: str
    durable: str

    def names(self) -> dict[str, str]:
        """Return the substitutions by name."""
        return {
            "merge_tree": self.merge_tree,
            "summing_merge_tree": self.summing_merge_tree,
            "durable": self.durable,
        }


SINGLE_NODE = Engines(
    merge_tree="MergeTree",
    summing_merge_tree="SummingMergeTree",
    # The spool forgets a batch once its insert has returned: from then on the part must survive a power cut by itself.
    durable=(
        f"non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}, "
        "fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1"
    ),
)
"""Engines of the embedded engine and of a server without replication."""
