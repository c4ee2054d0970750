"""Gateways on other machines, over a network that fails: each use they have answered is counted once."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.board import BoardProcess, running_board, wait_for
from tests.network import Network, network
from tests.system.remote import CLIENT, RemoteGateway, totals

# On a machine with nothing else to do it takes a quarter of a minute.
pytestmark = pytest.mark.timeout(600)

QUICK = {"TOKENBOARD_BOARD__ANSWER_TIMEOUT_S": "2", "TOKENBOARD_BOARD__CONNECT_TIMEOUT_S": "2"}


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BoardProcess]:
    with running_board(tmp_path_factory.mktemp("remote-board")) as board:
        yield board


@pytest.fixture(scope="module")
def key(board: BoardProcess) -> str:
    return board.make_key()


@pytest.fixture(scope="module")
def gateway_key(board: BoardProcess) -> str:
    return board.make_key("gateway", "far gateway")


@pytest.fixture(scope="module")
def net(board: BoardProcess) -> Iterator[Network]:
    with network(board.port) as net:
        yield net


@pytest.fixture(scope="module")
def gateways(
    net: Network, gateway_key: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RemoteGateway, RemoteGateway]]:
    folder = tmp_path_factory.mktemp("gateways")
    first, second = (RemoteGateway(folder / name, net.url, gateway_key, QUICK).start() for name in ("a", "b"))
    yield first, second
    for each in (first, second):
        if each.alive():
            each.stop()


def counted(board: BoardProcess, key: str, *gateways: RemoteGateway) -> None:
    """Make sure that the board has counted what the gateways have answered: not less, and not more."""
    for each in gateways:
        each.wait_until_shipped()
    board.wait_until_counted(60)
    asked = Counter(requests=sum(each.requests for each in gateways), tokens=sum(each.tokens for each in gateways))
    assert asked == totals(board.url, key)


def test_what_gateways_on_other_machines_answer_is_counted_once_whatever_the_network_does(
    board: BoardProcess, key: str, net: Network, gateways: tuple[RemoteGateway, RemoteGateway]
) -> None:
    first, second = gateways
    for number in range(6):
        assert [200, 200] == [each.ask(key, number + 1, stream=number % 2 == 0) for each in gateways]
    counted(board, key, *gateways)

    # Answers are lost: the board has taken what it does not hear of.
    net.weather.drops_answers = 4
    for number in range(8):
        assert 200 == first.ask(key, 3, stream=number % 2 == 0)
        assert 200 == second.ask(key, 2)
    wait_for(lambda: net.weather.dropped == 4, 30, first.log, every_s=0.05)
    counted(board, key, *gateways)

    # Cut within what is sent, and slow; and connections reset.
    net.weather.cuts_after = 300
    net.break_all()
    for _ in range(4):
        assert 200 == first.ask(key, 5)
        assert 200 == second.ask(key, 5, stream=True)
    wait_for(lambda: net.weather.cut > 3, 30, first.log, every_s=0.05)
    net.weather.cuts_after, net.weather.delay_s = None, 0.05
    counted(board, key, *gateways)

    # Half open: nothing comes through, and nobody is told. A gateway is killed in the midst of it, and starts anew.
    net.weather.delay_s, net.weather.holds = 0.0, True
    for _ in range(4):
        assert 200 == first.ask(key, 7)
        assert 200 == second.ask(key, 7, stream=True)
    first.kill()
    first.start(wait=False)
    wait_for(lambda: first.state().get("status") == "ready", 40, first.log, every_s=0.05)
    assert 200 == first.ask(key, 4)
    net.weather.holds = False
    net.break_all()
    counted(board, key, *gateways)

    # The board is killed, and both gateways are killed and start without it, from what they have on disk.
    board.kill()
    for each in gateways:
        assert 200 == each.ask(key, 9)
        each.kill()
    for each in gateways:
        each.start()
        assert [200, 200] == [each.ask(key, 9, stream=True), each.ask(key, 1)]
        assert 3 <= each.state()["board"]["waiting"]
    board.start()
    counted(board, key, *gateways)

    # A gateway is known by its question for news, which may come after what it ships.
    def heard() -> bool:
        said = board.ready()["remote_gateways"]
        return (2, 0) == (said["known"], said["waiting"])

    wait_for(heard, 40, board.log, every_s=0.05)


def test_a_revoked_key_is_refused_at_once_by_gateways_that_are_connected_and_later_by_one_that_is_not(
    board: BoardProcess, net: Network, gateways: tuple[RemoteGateway, RemoteGateway]
) -> None:
    first, second = gateways
    made = json.loads(board.run("keys", "create", "--label", "short", "--json"))
    assert [200, 200] == [CLIENT.get(f"{each.url}/v1/models", headers=bearer(made)).status_code for each in gateways]
    board.run("keys", "revoke", str(made["id"]))
    assert [401, 401] == [CLIENT.get(f"{each.url}/v1/models", headers=bearer(made)).status_code for each in gateways]

    away = json.loads(board.run("keys", "create", "--label", "away", "--json"))
    net.weather.refuses = True
    net.break_all()
    board.run("keys", "revoke", str(away["id"]))  # and does not hang
    assert 200 == CLIENT.get(f"{first.url}/v1/models", headers=bearer(away)).status_code
    net.weather.refuses = False
    wait_for(lambda: CLIENT.get(f"{first.url}/v1/models", headers=bearer(away)).status_code == 401, 40, every_s=0.1)
    assert second.alive()


def test_pages_and_data_come_through_with_the_clients_own_key_and_nothing_internal_does(
    board: BoardProcess, key: str, gateways: tuple[RemoteGateway, RemoteGateway], gateway_key: str
) -> None:
    first, _ = gateways
    page = CLIENT.get(f"{first.url}/rankings")
    assert (200, "text/html; charset=utf-8") == (page.status_code, page.headers["content-type"])
    assert 200 == CLIENT.get(f"{first.url}/api/v1/key", headers={"Authorization": f"Bearer {key}"}).status_code
    assert 401 == CLIENT.get(f"{first.url}/api/v1/key").status_code
    assert 404 == CLIENT.post(f"{first.url}/internal/v1/shipments", headers=bearer({"key": gateway_key})).status_code
    listed = CLIENT.get(f"{board.url}/api/v1/admin/gateways", headers={"Authorization": f"Bearer {key}"}).json()["data"]
    assert ["far gateway"] * 2 == [each["key"] for each in listed]


def test_a_copy_of_a_gateways_folder_ships_nothing_and_says_whose_it_is(
    board: BoardProcess,
    key: str,
    net: Network,
    gateways: tuple[RemoteGateway, RemoteGateway],
    gateway_key: str,
    tmp_path: Path,
) -> None:
    first, second = gateways
    counted(board, key, *gateways)
    shutil.copytree(first.data, tmp_path / "copy", ignore=shutil.ignore_patterns("run"))
    copy = RemoteGateway(tmp_path / "copy", net.url, gateway_key, QUICK).start()
    try:
        assert 200 == copy.ask(key, 50)
        wait_for(lambda: "another gateway ships this journal" in copy.log(), 20, copy.log)
        assert 200 == first.ask(key, 3)
        counted(board, key, first, second)
        assert 1 == copy.state()["board"]["waiting"]
    finally:
        copy.stop()


def test_without_the_boards_word_a_first_start_takes_nothing_and_says_why(gateway_key: str, tmp_path: Path) -> None:
    with network(1) as nobody:
        alone = RemoteGateway(tmp_path, nobody.url, gateway_key, QUICK).start(wait=False)
        try:
            wait_for(lambda: alone.state().get("board", {}).get("faults"), 40, alone.log, every_s=0.05)
            assert "not known which keys" in alone.state()["spool"]
            assert 503 == alone.ask("tb-any", 1)
        finally:
            assert 0 == alone.stop()
        assert gateway_key not in alone.log()


def bearer(made: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {made['key']}"}
