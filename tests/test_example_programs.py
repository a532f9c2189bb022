"""The programs in `docs/examples`: each one runs, against a server on this machine or the bundled catalogue."""

from __future__ import annotations

import asyncio
import csv
import re
import runpy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
from canary import KEY
from fake_api import Request, failure, reply
from fake_messages import FakeMessages
from locations import ROOT

from router import Catalogue, Router, resolve

EXAMPLES: Final = ROOT / "docs" / "examples"
PROGRAMS: Final = sorted(EXAMPLES.glob("*.py"))


class Api(FakeMessages):
    """The API: messages, the models of the bundled catalogue, and a batch that has been accepted."""

    def answer(self, request: Request) -> bytes:
        """Answer the requests of the examples."""
        if request.path.startswith("/v1/models"):
            models = [dict(model.entry) for model in Catalogue.bundled()]
            return reply(200, {"data": models, "has_more": False})
        if request.path == "/v1/messages/batches":
            return reply(200, BATCH)
        return super().answer(request)


BATCH: Final = {
    "id": "msgbatch_1",
    "type": "message_batch",
    "processing_status": "in_progress",
    "request_counts": dict.fromkeys(
        ("processing", "succeeded", "errored", "canceled", "expired"), 0
    ),
    "created_at": "2026-11-22T00:00:00Z",
    "expires_at": "2026-11-23T00:00:00Z",
}


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The examples run in a folder of their own, without a key, and are imported by their names."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(EXAMPLES))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """A server, which the environment names."""
    server = Api()
    server.start()
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    yield server
    server.stop()


@contextmanager
def imported(name: str) -> Iterator[Any]:
    """Import an example, and forget it at the end."""
    try:
        yield import_module(name)
    finally:
        sys.modules.pop(name, None)


def run(name: str) -> None:
    """Run an example as a script."""
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def test_the_page_lists_each_program() -> None:
    """There are ten programs of 10 to 40 lines of code, each says what it is, and the page lists them."""
    listed = re.findall(
        r"^\| \[(\w+\.py)\]\(\1\) \| \S", (EXAMPLES / "README.md").read_text(), re.MULTILINE
    )
    assert sorted(listed) == [path.name for path in PROGRAMS]
    assert len(PROGRAMS) == 10
    for path in PROGRAMS:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        assert lines[0].startswith('"""'), path.name
        assert 10 <= len(lines) <= 40, path.name


def test_each_program_has_a_test() -> None:
    """No program is listed that nothing runs."""
    text = Path(__file__).read_text(encoding="utf-8")

    assert [path.stem for path in PROGRAMS if f'"{path.stem}' not in text] == []


def test_fastapi_service() -> None:
    """Endpoints return results as they are, and errors are answers with a reason."""
    testclient = pytest.importorskip("fastapi.testclient", reason="FastAPI is not installed")

    with imported("fastapi_service") as example, testclient.TestClient(example.app) as client:
        status, explained = (
            client.get("/status").json(),
            client.get("/explain?need=pdf_input").json(),
        )
        chosen = client.get("/choose", params={"need": "line == opus"}).json()
        missed = client.get("/choose", params={"need": "line == nova"})
        wrong = client.get("/choose", params={"need": "pdf_imput"})
        schema = client.get("/openapi.json").json()

        assert status == example.app.state.router.status().to_dict()

    assert status["source"] == "bundled"
    assert explained["reason"] == "newest"
    assert chosen["model"]["key"] == "anthropic:claude-opus-5-5"
    assert chosen["alternatives"] == ["claude-opus-5", "claude-opus-4-8"]
    assert (missed.status_code, missed.json()["detail"][:36]) == (
        404,
        "no model satisfies line == nova\n  no",
    )
    assert (wrong.status_code, "did you mean pdf_input?" in wrong.text) == (422, True)
    assert schema["paths"].keys() == {"/status", "/explain", "/choose"}


def test_django_view() -> None:
    """A view asks the gate of each customer's model."""
    test = pytest.importorskip("django.test", reason="Django is not installed")

    with imported("django_view"):
        client = test.Client(SERVER_NAME="localhost")
        acme, initech = (client.get(f"/report/{name}").json() for name in ("acme", "initech"))

    assert (acme["output"], acme["effort"]) == ("json_schema", None)
    assert acme["why"]["reason"] == "supported"
    assert initech["output"] == "text"
    assert initech["why"]["reason"] == "unknown"


def test_notebook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The cells show tables and results as HTML."""
    pytest.importorskip("pandas", reason="pandas is not installed")
    shells = pytest.importorskip("IPython.core.interactiveshell", reason="IPython is not installed")
    capture = import_module("IPython.utils.capture")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))

    shell = shells.InteractiveShell.instance()
    try:
        with capture.capture_output() as captured:
            shell.run_cell((EXAMPLES / "notebook.py").read_text(encoding="utf-8")).raise_error()
    finally:
        shells.InteractiveShell.clear_instance()
    catalogue, prices, years, decision = [each.data["text/html"] for each in captured.outputs]

    assert catalogue.startswith("<table>")
    assert "<td>claude-opus-5-5</td>" in catalogue
    assert "claude-haiku-5-5" in prices
    assert "median" in years
    assert decision.startswith("<pre>claude-opus-5-5: newest")


def test_price_table(capsys: pytest.CaptureFixture[str]) -> None:
    """The table has the active models, cheapest first."""
    run("price_table.py")

    rows = [*csv.DictReader(capsys.readouterr().out.splitlines())]
    assert len(rows) == len(Catalogue.bundled().where("lifecycle == active"))
    prices = [float(row["price.output"]) for row in rows]
    assert prices == sorted(prices)


def test_batch_requests(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """Each document goes to a model that reads it, in one batch."""
    run("batch_requests.py")

    assert capsys.readouterr().out.splitlines() == [
        "note: claude-haiku-5-5, ordered",
        "scan: claude-haiku-5-5, ordered",
        "msgbatch_1 in_progress",
    ]
    sent: Any = api.requests[-1]
    assert [each["custom_id"] for each in sent.said["requests"]] == ["note", "scan"]


def test_async_agent(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """The agent streams, falls back while its first model is overloaded, and stays with the second."""
    newest = Catalogue.bundled().select("line in (opus, sonnet)").id
    api.faults[newest] = failure(529, "overloaded_error")

    with imported("async_agent") as example:
        asyncio.run(example.main())

    failed, first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"\[{newest} failed, so (claude-\S+) answers\]", failed)
    assert first == f"What is a requirement? ({failed.split()[3]})"
    assert second == f"What is a requirement? ({failed.split()[3]})"
    assert api.asked[-1] == failed.split()[3]


@pytest.mark.parametrize(
    ("require", "text", "status", "printed"),
    [
        ("pdf_input", "claude-opus-5-5", 0, "every model is fine"),
        (
            "citations",
            "claude-opus-5-5",
            1,
            "router.lock: reports: has changed since it was locked",
        ),
        ("pdf_input", "claude-3-opus-20240229", 1, "app.py:1: claude-3-opus-20240229 was retired"),
    ],
)
def test_check_models(
    capsys: pytest.CaptureFixture[str], require: str, text: str, status: int, printed: str
) -> None:
    """The script ends with 1 and a line for each lock and file that has a problem."""
    policies = '[policies.reports]\nrequire = "pdf_input"\n'
    Path("router.toml").write_text(policies, encoding="utf-8")
    locked = resolve(Router(policies="router.toml").policies, Catalogue.bundled()).lock
    Path("router.lock").write_text(locked.to_toml(), encoding="utf-8")
    Path("router.toml").write_text(policies.replace("pdf_input", require), encoding="utf-8")
    Path("app.py").write_text(f"MODEL = {text!r}\n", encoding="utf-8")

    with imported("check_models") as example:
        assert example.main("router.toml", "router.lock", "app.py") == status
    assert capsys.readouterr().out.startswith(printed)


def test_worker(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """Every job is done, though the cheapest model is overloaded, which then cools."""
    cheapest, other = "claude-haiku-5-5", "claude-haiku-4-5-20251001"
    api.faults[cheapest] = failure(529, "overloaded_error", headers={"x-should-retry": "false"})

    with imported("worker") as example:
        example.main()

    *done, cooling = capsys.readouterr().out.splitlines()
    assert done == [f"{job}: {other}" for job in example.JOBS]
    assert cooling == f"cooling: {cheapest}"


def test_application_tests() -> None:
    """The tests of the application pass."""
    with imported("application_tests") as example:
        tests: dict[str, Callable[[], None]] = {
            name: each for name, each in vars(example).items() if name.startswith("test_")
        }
        for test in tests.values():
            test()

    assert len(tests) == 2


def test_several_providers(capsys: pytest.CaptureFixture[str]) -> None:
    """Models of several providers are chosen by one policy."""
    run("several_providers.py")

    assert capsys.readouterr().out.splitlines() == [
        "ollama:llama4:70b by a local server",
        "openai:gpt-5-mini",
        "ollama:llama4:70b: 0 USD",
        "anthropic:claude-haiku-5-5: 0.5 USD",
        "openai:gpt-5-mini: 2 USD",
    ]
