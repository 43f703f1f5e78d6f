"""`atectl ledger export`, `serve` and `report`, and the dashboards that come with them."""

import base64
import hashlib
import http.client
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from atectl.commands.ledger.page import ledger_page
from atectl.ledger_store.export.exposition import LAST_SUCCESS
from atectl.ledger_store.export.metrics import METRICS, LedgerState
from atectl.ledger_store.opening import open_for_writing
from atectl.ledger_store.records import LeaseRecord
from tests.conftest import ROOT
from tests.support.browser import corner_of, document_of, needs_browser
from tests.support.lease_records import NOW, finish, own_process
from tests.support.ledger_records import GONE, MIB, account, just_now, lease
from tests.support.program import ATECTL, atectl

DASHBOARDS = ROOT / "fixtures" / "dashboards"
NAMES = {*(metric.name for metric in METRICS), LAST_SUCCESS}
EVIL = '<script>alert("x")</script>\x1b[31m'


def fresh(principal: str, number: int, **changes: object) -> LeaseRecord:
    usual = {"id": f"lease-{number}", **just_now(), **own_process()}
    return lease(principal, **{**usual, **changes})


@pytest.fixture
def filled() -> None:
    with closing(open_for_writing()) as store:
        store.flush(
            [
                fresh("alpha", 1, label=EVIL, current_bytes=5 * MIB),
                finish(fresh("alpha", 2)),
                fresh("beta", 3, process=GONE),
                finish(fresh("gamma", 4, peak_bytes=40 * MIB)),
            ]
        )


@contextmanager
def serving(*words: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    program = subprocess.Popen(
        [ATECTL, "ledger", "serve", "--listen", "127.0.0.1:0", *words],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert program.stderr is not None
        said = program.stderr.readline()
        port = re.search(r"http://127\.0\.0\.1:(\d+)/", said)
        assert port is not None, said
        yield int(port[1]), program
    finally:
        program.kill()
        program.wait()
        program.stderr.close()  # type: ignore[union-attr]


def get(port: int, path: str) -> tuple[http.client.HTTPResponse, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer, answer.read().decode()


class Page(HTMLParser):
    """The text of a page, its elements, and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self._open: list[str] = []
        self.style = ""
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["style"]:
            self.style += data
        elif data.strip():
            self.texts.append(data.strip())


@pytest.mark.usefixtures("filled")
class TestExport:
    def test_totals_are_told_and_nobody_is_named(self) -> None:
        shown = atectl("ledger", "export")
        assert (shown.status, shown.stderr) == (0, "")
        assert re.search(r'^atectl_leases_total\{host="[^"]+"\} 4\.0$', shown.stdout, re.M)
        assert "alpha" not in shown.stdout

    def test_openmetrics_has_its_end(self) -> None:
        shown = atectl("ledger", "export", "--format", "openmetrics", "--per-principal", "2")
        assert shown.stdout.endswith("# EOF\n")
        assert 'principal="gamma"' in shown.stdout

    def test_json_and_csv_have_the_same_samples(self) -> None:
        samples = json.loads(atectl("ledger", "export", "--format", "json").stdout)["samples"]
        lines = atectl("ledger", "export", "--format", "csv").stdout.splitlines()
        assert lines[0] == "name,type,host,principal,value"
        assert len(lines) == len(samples) + 1
        assert {sample["name"] for sample in samples} <= NAMES

    def test_a_file_for_node_exporter_is_whole_and_has_no_timestamps(self, tmp_path: Path) -> None:
        shown = atectl("ledger", "export", "--textfile", tmp_path)
        assert (shown.status, shown.stdout) == (0, "")
        assert [file.name for file in tmp_path.iterdir()] == ["atectl.prom"]
        lines = (tmp_path / "atectl.prom").read_text().splitlines()
        assert all(len(line.split()) == 2 for line in lines if not line.startswith("#"))
        assert any(line.startswith(f"{LAST_SUCCESS} ") for line in lines)

    def test_a_folder_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        shown = atectl("ledger", "export", "--textfile", tmp_path / "none")
        assert shown.status == 125
        assert "No such file" in shown.stderr

    def test_a_file_of_another_form_is_refused(self, tmp_path: Path) -> None:
        shown = atectl("ledger", "export", "--format", "json", "--textfile", tmp_path)
        assert shown.status == 2


@pytest.mark.usefixtures("filled")
class TestServe:
    def test_metrics_are_those_of_export(self) -> None:
        with serving() as (port, _):
            answer, text = get(port, "/metrics")
        assert (answer.status, answer.headers.get_content_type()) == (200, "text/plain")
        names = {line.partition("{")[0].split()[0] for line in text.splitlines() if line[0] != "#"}
        assert names == {
            line.partition("{")[0].split()[0]
            for line in atectl("ledger", "export").stdout.splitlines()
            if line[0] != "#"
        }

    def test_the_page_loads_nothing_and_runs_nothing(self) -> None:
        with serving("--per-principal", "3") as (port, _):
            answer, text = get(port, "/")
            missing, _ = get(port, "/favicon.ico")
        page = Page(text)
        assert set(page.elements).isdisjoint({"script", "img", "link", "iframe", "form", "a"})
        assert page.attributes.isdisjoint({"style", "src", "href", "onclick", "onload"})
        policy = answer.headers["Content-Security-Policy"]
        digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}'" in policy
        assert "default-src 'none'" in policy
        assert missing.status == 404

    def test_what_others_have_named_is_inert_text(self) -> None:
        with serving("--per-principal", "3") as (port, _):
            _, text = get(port, "/")
        assert '<script>alert("x")</script>\\x1b[31m' in Page(text).texts
        assert "\x1b" not in text

    def test_nobody_is_named_unless_that_is_asked_for(self) -> None:
        with serving() as (port, _):
            assert "alpha" not in get(port, "/")[1]
            assert "alpha" not in get(port, "/metrics")[1]

    @pytest.mark.parametrize(
        ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
    )
    def test_a_signal_ends_it(self, number: signal.Signals, status: int) -> None:
        with serving() as (port, program):
            get(port, "/")
            program.send_signal(number)
            assert program.wait(30) == status

    def test_other_machines_are_not_let_in_without_a_token(self) -> None:
        shown = atectl("ledger", "serve", "--listen", "0.0.0.0:0")
        assert shown.status == 2
        assert "--token-file" in shown.stderr

    def test_a_ledger_that_cannot_be_read_is_told_at_once(self, tmp_path: Path) -> None:
        shown = atectl("ledger", "serve", "--ledger", tmp_path / "none.db")
        assert shown.status == 125


def test_a_ledger_that_breaks_meanwhile_is_told_on_the_page(tmp_path: Path) -> None:
    place = tmp_path / "l.db"
    with closing(open_for_writing(str(place))) as store:
        store.flush([fresh("alpha", 1)])
    with serving("--ledger", str(place)) as (port, _):
        for file in tmp_path.iterdir():
            file.unlink()
        answers = [get(port, path) for path in ("/", "/metrics") for _ in range(1)]
        while any(answer.status == 200 for answer, _ in answers):  # what was read is kept a second
            answers = [get(port, path) for path in ("/", "/metrics")]
    assert {answer.status for answer, _ in answers} == {503}
    assert all("E401" in text for _, text in answers)


def test_an_empty_ledger_has_a_page() -> None:
    page = Page(ledger_page(LedgerState([], [], 0, []), 5, NOW))
    assert "Nothing has run yet." in page.texts


def test_only_so_many_accounts_are_shown() -> None:
    accounts = [account(f"p{number}", peak_bytes=number) for number in range(30)]
    page = Page(ledger_page(LedgerState(accounts, [], 0, []), 4, NOW))
    assert "p29" in page.texts
    assert "p25" not in page.texts
    assert "Principals: the 4 highest peaks of 30" in page.texts


@pytest.mark.usefixtures("filled")
class TestReport:
    def test_it_is_a_picture_of_the_chosen_principals(self, tmp_path: Path) -> None:
        svg = tmp_path / "r.svg"
        shown = atectl("ledger", "report", "gamma", "--svg", svg)
        assert (shown.status, shown.stdout) == (0, "")
        text = "".join(ElementTree.fromstring(svg.read_text()).itertext())
        assert "gamma" in text
        assert "alpha" not in text

    def test_svg_has_round_times_up_to_now_and_a_lane_for_each_lease(self, tmp_path: Path) -> None:
        svg = tmp_path / "r.svg"
        assert atectl("ledger", "report", "alpha", "--last", "1h", "--svg", svg).status == 0
        root = ElementTree.fromstring(svg.read_text())
        texts = [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}text")]
        times = [text for text in texts if text == "now" or text.endswith(" ago")]
        assert times == ["now", "15m ago", "30m ago", "45m ago", "1h ago"]
        lanes = root.iter("{http://www.w3.org/2000/svg}path")
        assert len([each for each in lanes if each.get("class") == "lane runs"]) == 2

    def test_html_loads_nothing(self, tmp_path: Path) -> None:
        html = tmp_path / "r.html"
        atectl("ledger", "report", "--html", html)
        text = html.read_text()
        assert text.startswith("<!doctype html>")
        assert "alpha" in text
        assert "<script" not in text
        assert "default-src 'none'" in text

    @pytest.mark.parametrize(
        ("words", "status"),
        [((), 2), (("nobody", "--svg", "r.svg"), 1), (("--svg", "no/folder.svg"), 125)],
    )
    def test_what_cannot_be_done_writes_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], status: int
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert atectl("ledger", "report", *words).status == status
        assert not list(tmp_path.glob("*.svg"))


class TestDashboards:
    @pytest.mark.parametrize("name", ["grafana.json", "alerts.yml"])
    def test_every_name_is_one_that_is_exported(self, name: str) -> None:
        used = set(re.findall(r"\batectl_\w+", (DASHBOARDS / name).read_text()))
        assert used
        assert used <= NAMES

    def test_the_dashboard_asks_one_source_in_every_panel(self) -> None:
        dashboard = json.loads((DASHBOARDS / "grafana.json").read_text())
        assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
        for panel in dashboard["panels"]:
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["targets"]


# In a real browser


@needs_browser
def test_a_browser_shows_what_the_ledger_has_as_text(filled: None) -> None:
    with serving("--per-principal", "20") as (port, _):
        document = document_of(f"http://127.0.0.1:{port}/")
    assert all(name in document for name in ("alpha", "beta", "gamma", "5 MiB"))
    assert "&lt;script&gt;" in document
    assert EVIL not in document


@needs_browser
@pytest.mark.parametrize("width", [1200, 420])
def test_the_page_is_light_or_dark_as_its_reader_has_it(
    filled: None, tmp_path: Path, width: int
) -> None:
    with serving("--per-principal", "20") as (port, _):
        url = f"http://127.0.0.1:{port}/"
        light = corner_of(url, tmp_path, width=width, is_dark=False)
        dark = corner_of(url, tmp_path, width=width, is_dark=True)
    assert min(light) > 200
    assert max(dark) < 60
