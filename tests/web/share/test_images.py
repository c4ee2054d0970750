"""Share images: every figure is there to be compared, every text keeps to its place."""

from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from tests.web.names import HOSTILE
from tokenboard.web.charts import Picture, Renderer
from tokenboard.web.share import HEIGHT, WIDTH, Place, app_image, model_image, ranking_image
from tokenboard.web.text_metrics import Face, clean, width

SPACE = "{http://www.w3.org/2000/svg}"
WINDOW = "14–20 Nov 2026"


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    renderer = Renderer(patience=60)
    yield renderer
    renderer.close()


def every_image(name: str) -> Iterator[Picture]:
    places = [Place(rank, name, name, 10 ** (20 - rank)) for rank in range(1, 8)]
    yield ranking_image(board=name, title=name, window=WINDOW, rows=places)
    yield app_image(
        board=name, name=name, host=name, window=WINDOW, rank=10**6, listed=10**7, tokens=10**30, requests=10**18,
        days=(10**30, 0, 10**29),
    )  # fmt: skip
    yield model_image(
        board=name, model=name, author=name, window=WINDOW, rank=None, tokens=0, share=0.0, apps=0, days=(0,) * 30
    )


def test_a_ranking_shows_title_window_and_five_rows_with_their_figures() -> None:
    rows = [Place(rank, f"App {rank}", f"{rank}.example", 1_234_567_890 // rank) for rank in range(1, 8)]
    picture = ranking_image(board="tokenboard", title="Top apps", window=WINDOW, rows=rows)
    expected = ["tokenboard", "14–20 Nov 2026 · tokens", "Top apps"]
    for row, figure in zip(rows, ("1.23B", "617M", "412M", "309M", "247M"), strict=False):
        expected += [str(row.rank), row.name, row.note, figure]
    assert tuple(expected) == picture.texts


def test_an_app_shows_its_place_tokens_and_requests() -> None:
    picture = app_image(
        board="tokenboard", name="Kilo", host="kilo.example", window=WINDOW, rank=3, listed=57, tokens=1_234_567_890,
        requests=45_678, days=(1, 2, 3),
    )  # fmt: skip
    expected = (
        "tokenboard",
        WINDOW,
        "Kilo",
        "kilo.example",
        "#3",
        "of 57 apps",
        "1.23B",
        "tokens",
        "45.7K",
        "requests",
    )
    assert expected == picture.texts
    assert "Kilo, 14–20 Nov 2026: #3 of 57 apps, 1.23B tokens, 45.7K requests" == picture.description


def test_a_model_shows_its_place_tokens_share_and_apps() -> None:
    picture = model_image(
        board="tokenboard", model="lab/model-1", author="lab", window=WINDOW, rank=1, tokens=2 * 10**12, share=0.3451,
        apps=1, days=(1, 2),
    )  # fmt: skip
    expected = ("#1", "among models", "2T", "tokens", "34.5%", "of all tokens", "1", "app")
    assert ("tokenboard", WINDOW, "lab/model-1", "by lab", *expected) == picture.texts


def test_without_a_place_or_a_row_there_is_an_image_all_the_same(renderer: Renderer) -> None:
    empty = ranking_image(board="tokenboard", title="Top apps", window=WINDOW, rows=[])
    assert "No tokens in this window yet" == empty.texts[-1]
    assert renderer.png(empty).startswith(b"\x89PNG")


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_the_layout_or_gets_markup_in(name: str) -> None:
    for picture in every_image(name):
        root = ElementTree.fromstring(picture.svg)
        parts = {element.tag.removeprefix(SPACE) for element in root.iter()}
        assert parts <= {"svg", "g", "rect", "clipPath", "text", "polygon", "polyline"}
        for group in root.iter(f"{SPACE}g"):
            clip_id = group.get("clip-path", "").removeprefix("url(#").removesuffix(")")
            clip = root.find(f".//*[@id='{clip_id}']/{SPACE}rect")
            text = group.find(f"{SPACE}text")
            assert clip is not None
            assert text is not None
            left, room = float(clip.get("x", "")), float(clip.get("width", ""))
            assert left >= 0
            assert left + room <= WIDTH
            face = Face.SANS_BOLD if text.get("font-weight") else Face.SANS
            assert width(text.text or "", face) * float(text.get("font-size", "")) <= room


def test_texts_are_whole_where_the_image_cuts_them() -> None:
    picture = app_image(
        board="tokenboard", name="x" * 100, host="", window=WINDOW, rank=1, listed=1, tokens=1, requests=1, days=()
    )
    assert "x" * 100 in picture.texts
    assert "x" * 100 not in picture.svg
    assert "…" in picture.svg


@pytest.mark.parametrize("index", range(3))
def test_an_image_is_a_png_of_its_size_whatever_the_names(renderer: Renderer, index: int) -> None:
    name = " ".join(clean(name) for name in HOSTILE)
    png = renderer.png(list(every_image(name))[index])
    assert b"\x89PNG\r\n\x1a\n" == png[:8]
    assert (WIDTH, HEIGHT) == (int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big"))
    assert len(png) < 400_000


def test_the_same_figures_make_the_same_image() -> None:
    one, same = (next(every_image("Kilo")) for _ in range(2))
    assert one.key == same.key
    assert one.key != next(every_image("Zed")).key
