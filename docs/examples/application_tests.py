"""Tests of an application, with models of their own and no network: `pytest application_tests.py`."""

from collections.abc import Callable

from router import Catalogue, Router, StaticSource


def summarise(router: Router, text: str, call: Callable[[str, str], str]) -> str:
    """Stand for the application: it prefers another model to an error."""
    answer = router.run("pdf_input and line == sonnet", lambda model: call(model.id, text))
    return f"{answer.value} (by {answer.model})"


def router_of(*ids: str) -> Router:
    supported = {"pdf_input": {"supported": True}}
    entries = [{"id": id, "line": "sonnet", "capabilities": supported} for id in ids]
    return Router(StaticSource(Catalogue.from_listing(entries)), cache_dir=False)


class Overloaded(Exception):
    status_code = 529  # as the exceptions of the SDK have


def call(model_id: str, text: str) -> str:
    """Stand for the client: it answers with the beginning of the text."""
    if model_id == "overloaded":
        raise Overloaded
    return text[:2]


def test_a_summary_names_its_model() -> None:
    assert summarise(router_of("good"), "Hello", call) == "He (by good)"


def test_another_model_answers_if_one_is_overloaded() -> None:
    assert summarise(router_of("good", "overloaded"), "Hello", call) == "He (by good)"
    assert summarise(router_of("overloaded", "spare"), "Hello", call) == "He (by spare)"
