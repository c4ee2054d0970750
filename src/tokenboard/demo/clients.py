"""Who sends requests in the demo year, with the very headers they send. Apps, hosts and figures are invented."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tokenboard.demo.models import Task
from tokenboard.demo.pace import (
    CLOCKWORK,
    LEISURE,
    MAKERS,
    OFFICE,
    Curve,
    Rhythm,
    fading,
    rising,
    school,
    steady,
    viral,
)


@dataclass(frozen=True)
class Use:
    """A way of using models: which tasks, when, and how its tokens divide (shares of 1.0).

    ``tool_share`` is the share of its answers that call a tool.
    """

    tasks: Mapping[Task, float]
    rhythm: Rhythm
    prompt_share: float
    cached_share: float
    streamed_share: float
    tool_share: float = 0.0
    endpoint: str = "chat"


AGENT = Use({Task.CODE: 1.0}, MAKERS, 0.95, 0.7, 0.9, 0.85)
EDITOR = Use({Task.CODE: 1.0, Task.CHAT: 0.1}, OFFICE, 0.9, 0.45, 0.8, 0.5)
CLOUD = Use({Task.CODE: 1.0}, CLOCKWORK, 0.94, 0.6, 0.3, 0.8)
CHAT = Use({Task.CHAT: 1.0, Task.PROSE: 0.1}, OFFICE, 0.72, 0.25, 1.0, 0.15)
HOME = Use({Task.CHAT: 1.0, Task.PROSE: 0.3}, LEISURE, 0.75, 0.3, 1.0, 0.06)
PROSE = Use({Task.PROSE: 1.0, Task.CHAT: 0.2}, MAKERS, 0.55, 0.1, 0.9)
LAW = Use({Task.PROSE: 1.0}, OFFICE, 0.92, 0.35, 0.4, 0.1)
STORY = Use({Task.PROSE: 1.0}, LEISURE, 0.86, 0.5, 1.0)
STUDIO = Use({Task.MEDIA: 1.0}, LEISURE, 0.4, 0.0, 0.0, endpoint="responses")
BATCH = Use({Task.CHAT: 1.0, Task.PROSE: 0.4}, CLOCKWORK, 0.85, 0.15, 0.0, endpoint="completions")


@dataclass(frozen=True)
class Client:
    """One sender: its headers, and how much it uses.

    ``events`` is the number of events on a day as usual (one event stands for what the client did in an hour or two),
    ``tokens`` the usual number of tokens of one. It sends from the moment ``launched`` until ``closed``. From the
    middle of the year on it may call itself ``renamed``. ``categories`` are as sent, comma-separated.
    """

    referer: str | None
    title: str | None
    categories: str
    events: float
    tokens: int
    use: Use
    curve: Curve = field(default=steady)
    launched: float = -1.0
    closed: float = 2.0
    renamed: str | None = None

    def headers(self, moment: float) -> tuple[tuple[bytes, bytes], ...]:
        """Return the attribution headers that it sends at a moment of the year."""
        title = self.renamed if self.renamed and moment >= 0.5 else self.title
        sent = (
            ("HTTP-Referer", self.referer),
            ("X-OpenRouter-Title", title),
            ("X-OpenRouter-Categories", self.categories),
        )
        return tuple((name.encode(), value.encode()) for name, value in sent if value)


CLIENTS = (
    # --- coding
    Client("https://pebblecode.example", "Pebblecode", "cli-agent,programming-app", 34, 2_600_000, AGENT, rising),
    Client("https://www.tarnworks.example/agent/", "Tarnworks Agent", "cli-agent", 27, 2_100_000, AGENT),
    Client("vscode://tarnworks.tarn-for-editors", "Tarn for Editors", "ide-extension", 18, 900_000, EDITOR, rising),
    Client("https://hedgerow.example/ide", "Hedgerow", "ide-extension,programming-app", 21, 1_200_000, EDITOR),
    Client("https://nightshift-ci.example", "Nightshift 🌙", "cloud-agent", 19, 1_900_000, CLOUD, rising, 0.12),
    Client("https://forge.example/lintel/lintel", "lintel", "cli-agent", 12, 700_000, AGENT, fading),
    Client(
        "https://forge.example/odd-socks/sockdrawer", "Sockdrawer", "cloud-agent,programming-app", 8, 640_000, CLOUD
    ),
    Client("https://buildling.example", "Buildling", "native-app-builder", 14, 820_000, EDITOR, rising, 0.28),
    Client("https://appelkist.example", "Appelkist", "native-app-builder,programming-app", 7, 480_000, EDITOR),
    Client("https://koodi.example", "Koodiveneet", "programming-app", 6, 300_000, EDITOR),
    Client("https://コード工房.example", "コード工房", "ide-extension", 9, 520_000, EDITOR, rising),
    Client("http://localhost:3000", "Wrenbox (dev)", "programming-app", 4, 90_000, EDITOR),
    Client("http://localhost:3000", "qa-harness", "", 3, 60_000, CLOUD),
    Client("https://testimonial-bot.example", "Unit Tess", "cloud-agent", 5, 350_000, CLOUD, steady, 0.5),
    Client(
        "https://querypond.example", "Querypond", "programming-app", 5, 210_000, EDITOR, steady, renamed="Querypond SQL"
    ),
    Client("https://shellfish.example", "Shellfish 🦪", "cli-agent", 10, 560_000, AGENT, rising, 0.4),
    Client("https://old.larkbellow.example/beta", "Larkbellow Beta", "ide-extension", 9, 600_000, EDITOR, closed=0.55),
    Client("https://larkbellow.example", "Larkbellow", "ide-extension", 12, 680_000, EDITOR, launched=0.53),
    # --- creative
    Client("https://quillfern.example", "Quillfern", "creative-writing,writing-assistant", 13, 420_000, PROSE),
    Client("https://inkwell-otter.example", "Inkwell Otter 🦦", "creative-writing", 8, 310_000, PROSE, rising),
    Client("https://حبر.example", "حِبر — مساعد الكتابة", "creative-writing", 6, 240_000, PROSE, rising, 0.2),
    Client("https://framewright.example", "Framewright", "video-gen,image-gen", 7, 380_000, STUDIO, rising, 0.35),
    Client("https://reelmoss.example", "Reelmoss", "video-gen", 5, 260_000, STUDIO),
    Client("https://pigmentary.example", "Pigmentary", "image-gen", 11, 330_000, STUDIO),
    Client("https://그림마을.example", "그림마을 🎨", "image-gen", 6, 180_000, STUDIO, rising),
    Client("https://stickerpatch.example", "Stickerpatch", "image-gen", 9, 150_000, STUDIO, viral),
    Client("https://humdinger-audio.example", "Humdinger", "audio-gen", 6, 200_000, STUDIO),
    Client("https://echo-orchard.example", "Echo Orchard", "audio-gen,video-gen", 4, 170_000, STUDIO, steady, 0.6),
    Client("https://verslibre.example", "Vers Libre", "creative-writing", 2, 80_000, PROSE, fading),
    Client("https://skazka.example", "Сказочник", "creative-writing", 4, 190_000, STORY),
    # --- productivity
    Client("https://minuteman-notes.example", "Minutes & More", "writing-assistant", 11, 350_000, CHAT, rising),
    Client("https://deskwren.example", "Deskwren", "general-chat,personal-agent", 19, 510_000, CHAT),
    Client("https://chat.harborlight.example", "Harborlight Chat", "general-chat", 23, 620_000, CHAT),
    Client("https://wissen.harborlight.example", "Wissensbasis", "general-chat", 8, 440_000, CHAT, rising),
    Client("https://chat.fogbank.example", "Fogbank", "general-chat", 14, 380_000, HOME, fading),
    Client("https://לוח.example", "לוח חכם", "personal-agent", 5, 210_000, HOME, rising, 0.3),
    Client("https://errandgoat.example", "Errand Goat 🐐", "personal-agent", 9, 390_000, HOME, rising),
    Client("https://calendula.example", "Calendula", "personal-agent", 5, 160_000, CHAT),
    Client("app://net.calendula.desktop", "Calendula Desktop", "personal-agent", 3, 120_000, CHAT, launched=0.45),
    Client("https://briefcase-owl.example", "Briefcase Owl", "legal", 8, 740_000, LAW, rising),
    Client("https://paragraphenreiter.example", "Paragraphenreiter §", "legal,writing-assistant", 5, 520_000, LAW),
    Client("https://clausula.example", "Cláusula", "legal", 3, 380_000, LAW, launched=0.52),
    Client("https://studyhall.example", "Studyhall", "general-chat", 12, 230_000, HOME, school),
    Client("https://अभ्यास.example", "अभ्यास", "general-chat", 6, 140_000, HOME, school),
    Client("https://proofread-heron.example", "Proofread Heron", "writing-assistant", 7, 190_000, PROSE),
    Client("https://tradoctopus.example", "Tradoctopus 🐙", "writing-assistant", 8, 270_000, BATCH),
    Client("https://inbox-zephyr.example", "Inbox Zephyr", "personal-agent,writing-assistant", 6, 200_000, CHAT),
    Client("https://ticketweaver.example", "Ticketweaver", "", 10, 330_000, BATCH),
    Client("https://tabular-rasa.example", "Tabular Rasa", "", 7, 410_000, BATCH, rising, 0.18),
    Client("https://internal.harborlight.example/reports", None, "", 4, 280_000, BATCH),
    # --- entertainment
    Client("https://tavernlight.example", "Tavernlight", "roleplay", 24, 540_000, STORY),
    Client("https://月下茶馆.example", "月下茶馆", "roleplay,creative-writing", 15, 430_000, STORY, rising),
    Client("https://masquerade-rp.example", "Masquerade 🎭", "roleplay", 11, 360_000, STORY, fading),
    Client("https://drakelet-quest.example", "Drakelet Quest", "game", 8, 240_000, STORY, rising, 0.25),
    Client("https://dungeon-postman.example", "Dungeon Postman", "game,roleplay", 6, 220_000, STORY),
    Client("https://guildhall.example/play", "Guildhall", "game", 4, 130_000, STORY, launched=0.7),
    Client("https://pixelfarmers.example", "Pixelfarmers 👩‍🌾", "game", 3, 90_000, HOME),
    Client("https://ελιά.example", "Ελιά", "roleplay", 3, 110_000, STORY),
    Client("https://nichtgelistet.example", "Confidential Pilot", "personal-agent", 9, 900_000, CHAT, rising),
    Client("https://ตลาดนัด.example", "ตลาดนัด", "game", 2, 70_000, HOME, launched=0.33),
    # --- nobody's: what comes without an app, each for another reason
    Client(None, "My Notebook", "", 6, 160_000, BATCH),
    Client(None, None, "", 9, 210_000, BATCH),
    Client("<YOUR_SITE_URL>", "<YOUR_SITE_NAME>", "", 3, 90_000, CHAT),
    Client("my-cool-app", "My cool app", "general-chat", 2, 60_000, CHAT),
    Client("http://localhost:8501", None, "", 3, 70_000, CHAT),
    Client(f"https://tracker.example/{'campaign-' * 250}", "Overlong", "", 1, 40_000, CHAT),
)
"""Sixty apps by their headers, and what comes without one."""

MOVES = (("https://old.larkbellow.example/beta", "https://larkbellow.example"),)
"""Apps that changed their URL in the course of the year, from and to: the operator merged them."""

HIDDEN = ("https://nichtgelistet.example",)
"""Apps that the operator keeps off the board."""
