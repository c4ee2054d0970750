"""A year in the life of a board that never was: invented apps and models, usage as it might have come.

    clients (who sends) ┐
    models  (of what)   ├▶ DemoYear ─▶ DemoDay: Facts in order of arrival ─▶ ingest, like any other usage
    pace    (how much)  ┘

Pure: no clock, no I/O; the same seed gives the same year, to the last token. Every name and figure is invented, and
every host lies under ``.example``, which belongs to nobody (RFC 2606).
"""

from tokenboard.demo.clients import CLIENTS, HIDDEN, MOVES, Client
from tokenboard.demo.models import MODELS, DemoModel
from tokenboard.demo.year import DemoDay, DemoYear

__all__ = ["CLIENTS", "HIDDEN", "MODELS", "MOVES", "Client", "DemoDay", "DemoModel", "DemoYear"]
