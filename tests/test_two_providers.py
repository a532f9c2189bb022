"""One id at two providers: no part of the library takes one model for the other."""

from __future__ import annotations

from typing import Any

import pytest

from router import (
    Catalogue,
    Gate,
    Lock,
    Policy,
    Router,
    StaticSource,
    check_lock,
    outdated,
    resolve,
    why,
)
from router.catalogue._diff import impact_of
from router.requests._fallbacks import fallbacks_of

PDF: dict[str, Any] = {"capabilities": {"pdf_input": {"supported": True}}}
DATED: dict[str, Any] = {"created_at": "2026-01-01T00:00:00Z"}
CATALOGUE = Catalogue.from_listing(
    [
        {"id": "x", "provider": "azure", **DATED, "allowed_fallback_models": ["y"]},
        {"id": "x", "provider": "groq", **DATED, **PDF},
        {"id": "y", "provider": "azure", **PDF},
        {"id": "y", "provider": "groq", **PDF},
        {"id": "azure:x", "provider": "gateway", **PDF},
    ],
    documented=None,
)
BY_KEY = {model.key: model for model in CATALOGUE}
AZURE, GROQ = BY_KEY["azure:x"], BY_KEY["groq:x"]
POLICIES = {"p": Policy(require="provider == groq and id == x", name="p")}


def test_a_model_is_asked_as_itself() -> None:
    """A `Model` is looked up by its provider and id, though an id of another one looks like its key."""
    assert all(model in CATALOGUE for model in CATALOGUE)
    assert not CATALOGUE.supports(AZURE, "pdf_input")
    assert CATALOGUE.supports(GROQ, "pdf_input")
    assert not Gate(AZURE, lambda: CATALOGUE).allows("pdf_input", default=False)
    assert Gate(GROQ, lambda: CATALOGUE).allows("pdf_input", default=False)
    assert why(CATALOGUE, GROQ, "pdf_input").place == 1
    assert why(CATALOGUE, AZURE, "pdf_input").place is None


def test_a_lock_is_of_a_provider(tmp_path: Any) -> None:
    """What was locked at one provider stays there, in the file too."""
    pytest.importorskip("tomli_w")
    lock = resolve(POLICIES, CATALOGUE).lock
    assert (lock.policies["p"].model_id, lock.policies["p"].provider) == ("x", "groq")
    assert check_lock(lock, POLICIES, CATALOGUE) == ()
    assert outdated(lock, POLICIES, CATALOGUE) == ()
    path = tmp_path / "router.lock"
    path.write_text(lock.to_toml(), encoding="utf-8")
    assert Lock.read(path) == lock
    router = Router(StaticSource(CATALOGUE), policies=POLICIES, lock=lock)
    assert router.select("p") is GROQ
    assert router.explain("p").candidates == (GROQ,)


def test_a_note_tells_the_provider() -> None:
    """A note about a model whose id means another one names the model by its key."""
    (note,) = CATALOGUE.explain("provider == azure and id == y").notes
    assert note == "azure:y has no known release date, so it ranks after every dated model"


def test_an_impact_tells_the_provider() -> None:
    """A policy that moves to the same id at another provider has moved."""
    answers = {"before": AZURE, "after": GROQ}
    (impact,) = impact_of(["p"], "before", "after", lambda _, catalogue: answers[catalogue])
    assert (impact.before, impact.after) == ("azure:x", "groq:x")


def test_fallbacks_stay_at_the_provider() -> None:
    """The provider's own server knows its own models alone."""
    assert fallbacks_of(AZURE, CATALOGUE.models, {}) == [{"model": "y"}]


def test_a_cooldown_is_of_a_provider() -> None:
    """A model that fails at one provider is still called at the other."""

    class OverloadedError(Exception):
        status_code = 529

    def call(model: Any) -> str:
        if model.provider == "azure":
            raise OverloadedError
        return str(model.key)

    router = Router(StaticSource(CATALOGUE), allowed_fails=1)
    answer = router.run("id == x", call)
    assert [attempt.model.key for attempt in answer.attempts] == ["azure:x", "groq:x"]
    assert [cooling.key for cooling in router.status().cooling] == ["azure:x"]


def test_a_conversation_stays_with_its_provider() -> None:
    """It is kept by key, and an id that looks like the key is another model."""
    router = Router(StaticSource(CATALOGUE))
    router.run("provider == azure and id == x", lambda model: model.key, sticky="chat")
    assert router.run("true", lambda model: model.key, sticky="chat").value == "azure:x"
