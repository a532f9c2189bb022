"""The matrix: its columns and rows."""

from __future__ import annotations

import pytest
from matrix_listings import LISTING

from router import Catalogue, Model, RequirementError, UnknownNameError
from router.models._vocabulary import CAPABILITIES
from router.tools._matrix import Matrix, matrix


def test_every_capability_has_one_column() -> None:
    """What the vocabulary or the catalogue names has a column, also a name that came today, and of nobody known."""
    shown = matrix(Catalogue.from_listing(LISTING))

    assert {*shown.capabilities} == CAPABILITIES | {"holograms", "holograms.moving"}
    assert len({*shown.capabilities}) == len(shown.capabilities)


def test_the_marks_are_what_each_model_is_known_to_support() -> None:
    """A value a column, the same that `Model.support` gives."""
    shown = matrix(Catalogue.bundled())

    assert shown.models == Catalogue.bundled().models
    for model in shown.models:
        assert shown.supports(model) == tuple(model.support(name) for name in shown.capabilities)
    assert {support for model in shown.models for support in shown.supports(model)} == {
        True,
        False,
        None,
    }


def test_families_stand_together_and_levels_in_their_order() -> None:
    """A family begins with itself; its levels go from the lowest on, and what is no level comes after them by name."""
    levels = {
        key: {"supported": True} for key in ["xhigh", "low", "beyond", "max", "high", "medium"]
    }
    shown = matrix(
        Catalogue.from_listing([{"id": "m", "capabilities": {"effort": levels, "effort2": {}}}])
    )

    efforts = next(family for family in shown.families if family[0] == "effort")
    assert efforts == tuple(
        f"effort{level}" for level in ["", ".low", ".medium", ".high", ".xhigh", ".max", ".beyond"]
    )
    assert [family[0].partition(".")[0] for family in shown.families] == sorted(
        {name.partition(".")[0] for name in shown.capabilities}
    )
    assert [name for family in shown.families for name in family] == [*shown.capabilities]


@pytest.mark.parametrize(
    ("only", "columns"),
    [
        (["compaction"], ["compaction", "compaction.summarize"]),
        (["pdf_input", "compaction.summarize"], ["compaction.summarize", "pdf_input"]),
        (["thinking.types.adaptive"], ["thinking.adaptive"]),
        (["holograms"], ["holograms", "holograms.moving"]),
        (["compaction", "compaction"], ["compaction", "compaction.summarize"]),
    ],
)
def test_only_what_is_asked_for(only: list[str], columns: list[str]) -> None:
    """A path leaves the capability and those below it, in the long spelling as well."""
    assert [*matrix(Catalogue.from_listing(LISTING), only=only).capabilities] == columns


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [
        ("efort", UnknownNameError, "did you mean effort"),
        ("eff", UnknownNameError, "unknown name 'eff'"),
        ("", UnknownNameError, "unknown name"),
        ("line", RequirementError, "a field"),
    ],
)
def test_a_path_that_means_nothing_is_an_error(
    path: str, error: type[Exception], said: str
) -> None:
    """A column that is asked for and not there would look like an answer."""
    with pytest.raises(error, match=said):
        matrix(Catalogue.from_listing(LISTING), only=[path])


def test_a_matrix_is_a_value() -> None:
    """Two of the same models and columns are equal."""
    model = Model.from_api({"id": "m", "capabilities": {"pdf_input": {"supported": True}}})

    assert Matrix((model,), ("pdf_input",)) == Matrix((model,), ("pdf_input",))
    assert Matrix((model,), ("pdf_input",)).supports(model) == (True,)
