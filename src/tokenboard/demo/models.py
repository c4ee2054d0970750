"""The models of the demo year. Authors, names and prices are invented."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Task(StrEnum):
    """What a model is used for; an app's use says how much of each."""

    CODE = "code"
    CHAT = "chat"
    PROSE = "prose"
    MEDIA = "media"


@dataclass(frozen=True, slots=True)
class DemoModel:
    """One model: USD per million tokens (None: nobody says), the moment of its launch, how liked it is for what.

    ``reasons``: whether a part of its completion tokens is reasoning.
    """

    slug: str
    prompt_price: Decimal | None
    completion_price: Decimal | None
    launched: float
    appeal: float
    tasks: frozenset[Task]
    reasons: bool = False

    @property
    def provider(self) -> str:
        """Who serves it."""
        return _PROVIDERS.get(self.slug.partition("/")[0], "copperline")


_PROVIDERS = {"aurora": "aurora", "basalt": "basalt", "kestrelmind": "fernhost", "mossgate": "fernhost"}


def _model(slug: str, prices: str, launched: float, appeal: float, tasks: str, *, reasons: bool = False) -> DemoModel:
    """Return a model from a row of the table: prices as ``prompt/completion`` or ``-``, tasks by their names."""
    prompt, _, completion = prices.partition("/")
    priced = prices != "-"
    return DemoModel(
        slug,
        Decimal(prompt) if priced else None,
        Decimal(completion) if priced else None,
        launched,
        appeal,
        frozenset(map(Task, tasks.split())),
        reasons,
    )


MODELS = (
    _model("aurora/aurora-large", "3/15", -1, 10, "code chat prose", reasons=True),
    _model("aurora/aurora-large-2", "3/15", 0.42, 22, "code chat prose", reasons=True),
    _model("aurora/aurora-small", "0.4/1.6", -1, 7, "chat prose"),
    _model("aurora/aurora-small-2", "0.3/1.2", 0.55, 11, "code chat prose"),
    _model("aurora/aurora-canvas", "5/20", 0.2, 9, "media"),
    _model("basalt/basalt-coder-34b", "0.6/1.8", -1, 9, "code"),
    _model("basalt/basalt-coder-120b", "1.2/4.8", 0.3, 14, "code", reasons=True),
    _model("basalt/basalt-chat-34b", "0.5/1.5", -1, 5, "chat"),
    _model("cinderwood/cinder-7b", "0/0", -1, 3, "chat prose"),
    _model("cinderwood/cinder-22b", "0.15/0.45", 0.15, 5, "chat prose"),
    _model("cinderwood/cinder-storyteller", "0.8/2.4", -1, 9, "prose"),
    _model("kestrelmind/kestrel-1", "2/8", -1, 8, "code chat", reasons=True),
    _model("kestrelmind/kestrel-2", "2/8", 0.63, 18, "code chat", reasons=True),
    _model("kestrelmind/kestrel-2-mini", "0.25/1", 0.66, 9, "code chat prose"),
    _model("lumenfold/lumen-v", "1/3", -1, 5, "media"),
    _model("lumenfold/lumen-v-pro", "2.5/7.5", 0.5, 8, "media"),
    _model("lumenfold/lumen-voice", "0.9/3.6", 0.1, 6, "media"),
    _model("mossgate/moss-8b-instruct", "0/0", -1, 4, "chat"),
    _model("mossgate/moss-70b-instruct", "0.5/0.7", -1, 7, "chat prose code"),
    _model("mossgate/moss-400b", "2.2/2.2", 0.75, 9, "code chat prose"),
    _model("orielle/oriel-summary", "0.02/0", -1, 4, "prose"),
    _model("orielle/oriel-legal", "4/12", 0.25, 5, "prose"),
    _model("saffronic/saffron-base", "0.2/0.6", -1, 4, "chat"),
    _model("saffronic/saffron-r", "1.1/4.4", 0.36, 10, "code chat", reasons=True),
    _model("tidemarrow/tide-flash", "0.1/0.4", -1, 12, "chat code"),
    _model("tidemarrow/tide-flash-2", "0.1/0.4", 0.48, 18, "chat code media"),
    _model("tidemarrow/tide-pro", "1.25/10", 0.22, 13, "code chat prose media", reasons=True),
    _model("umberlab/umber-rp-13b", "-", -1, 6, "prose"),
    _model("umberlab/umber-rp-70b", "-", 0.4, 9, "prose"),
    _model("vellumora/vellum-draft", "0.7/2.1", 0.58, 7, "prose"),
)
"""The thirty models; ``launched`` -1 is before the year."""
