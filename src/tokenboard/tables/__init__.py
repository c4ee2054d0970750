"""Tables as files: one table, the same figures as CSV, NDJSON or Parquet. For the Data API and the pages alike."""

from tokenboard.tables.files import instant, write_csv, write_ndjson, write_parquet
from tokenboard.tables.formulas import guarded, unguarded
from tokenboard.tables.table import Column, Kind, Table

__all__ = ["Column", "Kind", "Table", "guarded", "instant", "unguarded", "write_csv", "write_ndjson", "write_parquet"]
