"""Lookup: which model an id, an alias or a key means, by one provider and by several."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_catalogues import ids

from router import (
    AmbiguousModelError,
    Catalogue,
    CatalogueError,
    ConfigurationError,
    Model,
    RouterError,
    UnknownModelError,
)
from router.catalogue._lookup import Lookup
from router.models._packaged_facts import maker_of

OPUS = "claude-opus-4-1-20250805"
ALIAS = "claude-opus-4-1"


def served(*keys: str, **fields: Any) -> Catalogue:
    """Return a catalogue of the models with these keys."""
    entries = [
        {"id": id, "provider": provider, **fields}
        for provider, _, id in (key.partition(":") for key in keys)
    ]
    return Catalogue.from_listing(entries, documented=None)


def test_a_model_is_of_the_provider_that_its_entry_states() -> None:
    """An entry without a valid provider is of the provider of its listing, by default Anthropic."""
    entries = [{"id": "a"}, {"id": "b", "provider": "openai"}, {"id": "c", "provider": "Open AI"}]
    catalogue = Catalogue.from_listing(entries)
    assert [catalogue[id].key for id in "abc"] == ["anthropic:a", "openai:b", "anthropic:c"]
    other = Catalogue.from_listing(entries, provider="mistral")
    assert [other[id].provider for id in "abc"] == ["mistral", "openai", "mistral"]
    assert ids(catalogue.candidates("provider == openai")) == ["b"]


@pytest.mark.parametrize("provider", ["", "Mistral", "a b", "9", None, 5])
def test_the_provider_of_a_listing_is_a_name(provider: Any) -> None:
    """What can be no provider is refused, with what it has to look like."""
    with pytest.raises(CatalogueError, match=r"provider must be a name such as google-vertex"):
        Catalogue.from_listing([], provider=provider)


def test_facts_are_those_of_the_provider() -> None:
    """What is documented of a model of Anthropic says nothing of the same id elsewhere."""
    ours, other = Catalogue.from_listing([{"id": OPUS}, {"id": OPUS, "provider": "azure"}]).models
    assert (ours.provider, ours.aliases) == ("anthropic", (ALIAS,))
    assert (other.provider, other.aliases, dict(other.documented)) == ("azure", (), {})


def test_each_key_is_found() -> None:
    """`provider:id` means that entry, and so does `provider:alias`."""
    catalogue = Catalogue.from_listing([{"id": OPUS}, {"id": OPUS, "provider": "azure"}])
    for model in catalogue:
        assert catalogue[model.key] is model
        assert catalogue.get(model.key) is model
        assert model.key in catalogue
    assert catalogue[f"anthropic:{ALIAS}"].key == f"anthropic:{OPUS}"
    assert f"azure:{ALIAS}" not in catalogue


def test_an_id_of_several_providers_means_the_maker() -> None:
    """Where packaged facts know who makes a model, its bare id means that entry."""
    catalogue = served(f"azure:{OPUS}", f"anthropic:{OPUS}", f"mistral:{OPUS}")
    assert maker_of(OPUS) == "anthropic"
    assert catalogue[OPUS].provider == "anthropic"
    assert catalogue.name_of(catalogue[OPUS]) == OPUS
    assert catalogue.name_of(catalogue[f"azure:{OPUS}"]) == f"azure:{OPUS}"


def test_an_id_of_several_providers_is_ambiguous() -> None:
    """Where nobody knows the maker, asking for one raises, and asking whether there is one does not."""
    catalogue = served("groq:llama-4", "azure:llama-4", "groq:gemma")
    assert "llama-4" in catalogue
    assert catalogue.get("llama-4") is None
    assert catalogue.get("llama-4", "none") == "none"
    for ask in (catalogue.__getitem__, catalogue.supports):
        with pytest.raises(AmbiguousModelError) as raised:
            ask("llama-4")
        assert isinstance(raised.value, (RouterError, LookupError))
        assert raised.value.keys == ("azure:llama-4", "groq:llama-4")
        assert str(raised.value) == (
            "'llama-4' is the id of several models: name one of azure:llama-4, groq:llama-4"
        )
        assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)  # noqa: S301
    assert catalogue["gemma"].provider == "groq"


def test_an_id_with_a_colon_is_an_id_first() -> None:
    """`gpt-oss:20b` is an id, though it looks like a key; a key is looked for after it."""
    catalogue = served("ollama:gpt-oss:20b", "gpt-oss:20b")
    assert catalogue["gpt-oss:20b"].key == "ollama:gpt-oss:20b"
    assert catalogue["ollama:gpt-oss:20b"].provider == "ollama"
    assert catalogue["20b"].key == "gpt-oss:20b"
    with pytest.raises(UnknownModelError):
        catalogue["nobody:20b"]


def test_an_alias_of_several_providers() -> None:
    """An alias follows the same rule, and an id wins over it."""
    catalogue = served("groq:a-1", "azure:a-2", aliases=["a"])
    with pytest.raises(AmbiguousModelError, match=r"name one of azure:a-2, groq:a-1"):
        catalogue["a"]
    with_id = Catalogue.from_listing(
        [{"id": "b", "aliases": ["a"]}, {"id": "a", "provider": "groq"}], documented=None
    )
    assert with_id["a"].provider == "groq"


def test_a_model_of_another_provider_is_not_in_a_catalogue() -> None:
    """A model is in a catalogue that has an equal one, not one that has its id alone."""
    (ours,), (other,) = served("groq:a").models, served("azure:a").models
    assert ours in served("groq:a", "azure:b")
    assert other not in served("groq:a")


@pytest.mark.parametrize(
    "name", [None, b"a", ["a"], 10**5_000], ids=lambda each: type(each).__name__
)
def test_what_is_no_text_is_no_id(name: Any) -> None:
    """A name of any other type is refused, and is in no catalogue."""
    catalogue = served("groq:a")
    assert name not in catalogue
    with pytest.raises(ConfigurationError):
        catalogue[name]


def test_two_models_of_one_key_are_no_catalogue() -> None:
    """A catalogue cannot be made of models that share a provider and an id."""
    model = Model.from_api({"id": "m"})
    with pytest.raises(CatalogueError, match="two models have one key"):
        Catalogue([model, model])


PROVIDERS = st.sampled_from(["anthropic", "azure", "groq"])
NAMES = st.sampled_from(["a", "b", "groq:a", OPUS, ALIAS])
MODELS = st.lists(
    st.fixed_dictionaries(
        {"id": NAMES, "provider": PROVIDERS, "aliases": st.lists(NAMES, max_size=2)}
    ).map(Model.from_api),
    max_size=6,
    unique_by=lambda model: model.key,
)


def meant(models: list[Model], name: str) -> Model | None:
    """Return the model of a name by the definition, in the words of the design."""
    for named in (
        [model for model in models if model.id == name],
        [model for model in models if name in model.aliases],
    ):
        newest = {model.provider: model for model in named}
        if len(newest) > 1:
            return newest.get(maker_of(name) or "")
        if newest:
            return next(iter(newest.values()))
    provider, _, rest = name.partition(":")
    of_provider = [model for model in models if model.provider == provider]
    by_id = [model for model in of_provider if model.id == rest]
    by_alias = [model for model in of_provider if rest in model.aliases]
    return next(reversed(by_id or by_alias), None)


@given(MODELS, st.one_of(NAMES, st.builds("{}:{}".format, PROVIDERS, NAMES)))
def test_a_lookup_gives_what_the_definition_gives(models: list[Model], name: str) -> None:
    """Ids, then aliases, then keys, for every mixture of providers."""
    lookup = Lookup(models)
    found = meant(models, name)
    assert lookup.get(name) is found
    if found is None:
        with pytest.raises(UnknownModelError if name not in lookup else AmbiguousModelError):
            lookup.find(name)
    else:
        assert lookup.find(name) is found
        assert name in lookup
