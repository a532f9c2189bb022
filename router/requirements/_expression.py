"""Requirement: a boolean expression over capabilities and fields, in Kleene's three-valued logic.

Each node has two implementations: `truth(model, now)` is the definition, `masks(index, now)` the
fast path. Every requirement is built in canonical form: negation applies only to literals without a
complement, `maybe` only to literals, and groups are flat, sorted and free of duplicates. Two
requirements are therefore equal if their texts are. The literals are in `_literals`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache, wraps
from types import MappingProxyType
from typing import ClassVar, Final, Protocol, TypeVar, cast

import attrs

from router._errors import RequirementError, quoted
from router.models._field_types import all_of, any_of
from router.models._index import Index, Masks
from router.models._model import Model, Support
from router.requirements._satisfiability import FALSE, TRUE, UNKNOWN, Constraints, negate

Value_co = TypeVar("Value_co", covariant=True)

LONGEST_REMEMBERED: Final = 1000
"""Longest text, in characters, that is cached, so that untrusted texts cannot fill the memory."""


class Remembering(Protocol[Value_co]):
    """A function of a string that caches its results."""

    def __call__(self, text: str, /) -> Value_co:
        """Return the result for `text`."""

    def cache_clear(self) -> None:
        """Empty the cache."""


def remembered(size: int) -> Callable[[Callable[[str], Value_co]], Remembering[Value_co]]:
    """Cache the last `size` results of a function of a string, except for long strings."""

    def decorate(function: Callable[[str], Value_co]) -> Remembering[Value_co]:
        remembering = lru_cache(size)(function)

        @wraps(function)
        def call(text: str) -> Value_co:
            return remembering(text) if len(text) <= LONGEST_REMEMBERED else function(text)

        call.cache_clear = remembering.cache_clear  # type: ignore[attr-defined]
        return cast("Remembering[Value_co]", call)

    return decorate


MAX_DEPTH: Final = 64
"""The deepest nesting of a requirement: far above real needs, and safe for the stack."""

ReferencedNames = tuple[frozenset[str], frozenset[str], bool]
"""Capabilities and fields that a requirement names, and whether it depends on the time."""

References = tuple[frozenset[str], frozenset[str], bool, tuple[str, ...]]
"""The same, with the texts of the terms."""

NO_NAMES: Final[frozenset[str]] = frozenset()

Places = Mapping[str, tuple[str, ...]]
"""The places that asked for each term, by the text of the term."""


class Requirement:
    """A condition on models; made by `require`, combined with `&`, `|` and `~`.

    `str()` returns the canonical text, which parses back to an equal requirement. `bool()` raises.
    """

    __slots__ = ("references",)
    references: References
    """Set by the first call of `all_references`."""
    text: str
    depth: int = 0
    places: Places = MappingProxyType({})
    """The places in a request that ask for each term, by its text; empty for other requirements."""

    def support(self, model: Model, *, now: datetime | None = None) -> Support:
        """Return whether the model meets this: `True`, `False`, or `None` for unknown.

        `age` and `retires_in` are counted from `now`, an aware datetime, by default the present.
        """
        if not isinstance(model, Model):
            raise RequirementError(
                f"a Model was expected, such as catalogue[id] (got {type(model).__name__})"
            )
        return self.truth(model, resolve_now(now))

    def matches(self, model: Model, *, now: datetime | None = None) -> bool:
        """Return whether the model is known to meet this."""
        return self.support(model, now=now) is True

    def is_unsatisfiable(self) -> bool:
        """Return `True` only if no model can be known to meet this; `False` proves nothing.

        The check takes time linear in the size of the requirement.
        """
        constraints = Constraints()
        self.constrain(constraints, TRUE)
        return constraints.is_contradictory()

    @property
    def terms(self) -> tuple[Requirement, ...]:
        """The top-level conjuncts; a model must meet every one."""
        return (self,)

    @property
    def complement(self) -> Requirement | None:
        """The literal that holds exactly if this one is known not to hold, or `None`."""
        return None

    @property
    def capabilities(self) -> frozenset[str]:
        """Every capability that this names, by short path."""
        return self.all_references()[0]

    @property
    def fields(self) -> frozenset[str]:
        """Every field that this names."""
        return self.all_references()[1]

    @property
    def is_relative(self) -> bool:
        """Whether the answer depends on the current time."""
        return self.all_references()[2]

    def all_references(self) -> References:
        """Return the names and the texts of the terms, collected once."""
        try:
            return self.references
        except AttributeError:
            references = (*self.collect_references(), tuple([term.text for term in self.terms]))
            object.__setattr__(self, "references", references)  # the class is frozen
            return references

    def collect_references(self) -> ReferencedNames:
        """Return the capabilities and fields named, and whether the answer depends on the time."""
        raise NotImplementedError

    def masks(self, index: Index, now: datetime) -> Masks:
        """Return the rows known to meet this, and those known not to."""
        raise NotImplementedError

    def truth(self, model: Model, now: datetime) -> Support:
        """Return whether the model meets this; `masks` must agree with this definition."""
        raise NotImplementedError

    def constrain(self, constraints: Constraints, wanted: int) -> None:
        """Record that this has one of the `wanted` truth values."""
        constraints.restrict(self.text, wanted)

    def __and__(self, other: Requirement) -> Requirement:
        return and_with_places((self, _operand("&", other)))

    def __or__(self, other: Requirement) -> Requirement:
        return disjunction((self, _operand("|", other)))

    # Python asks these if the left operand is not a requirement.
    def __rand__(self, other: Requirement) -> Requirement:
        return _operand("&", other)

    def __ror__(self, other: Requirement) -> Requirement:
        return _operand("|", other)

    def __invert__(self) -> Requirement:
        return negation(self)

    def __bool__(self) -> bool:
        raise RequirementError(
            "a requirement is neither true nor false: combine with & | ~ instead of and, or, not; "
            "ask requirement.matches(model)"
        )

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, Requirement) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"require({self.text!r})"


def _operand(operator: str, other: object) -> Requirement:
    """Return `other` if it is a requirement; raises `RequirementError` with what to write."""
    if isinstance(other, Requirement):
        return other
    got = quoted(other) if isinstance(other, str) else type(other).__name__
    hint = f": write require({got})" if isinstance(other, str) else ""
    raise RequirementError(f"{operator} joins two requirements (got {got}){hint}")


def resolve_now(now: datetime | None) -> datetime:
    """Return `now` in UTC, by default the current time; raises `RequirementError` if not aware."""
    if now is None:
        return datetime.now(UTC)
    if not isinstance(now, datetime):
        raise RequirementError(f"now must be an aware datetime (got {quoted(now)})")
    if now.utcoffset() is None:
        raise RequirementError(
            f"now must be an aware datetime (got {now.isoformat()}, which has no time zone)"
        )
    return now.astimezone(UTC)


@attrs.frozen(eq=False, repr=False)
class _Prefixed(Requirement):
    """A keyword and the part that it applies to."""

    part: Requirement
    text: str = attrs.field(init=False)

    keyword: ClassVar[str]

    @text.default
    def _text(self) -> str:
        return f"{self.keyword} {self.part.text}"

    def collect_references(self) -> ReferencedNames:
        return self.part.all_references()[:3]


@attrs.frozen(eq=False, repr=False)
class Not(_Prefixed):
    """Known not to hold; unknown stays unknown."""

    keyword = "not"

    def masks(self, index: Index, now: datetime) -> Masks:
        yes, no = self.part.masks(index, now)
        return no, yes

    def truth(self, model: Model, now: datetime) -> Support:
        support = self.part.truth(model, now)
        return None if support is None else not support

    def constrain(self, constraints: Constraints, wanted: int) -> None:
        self.part.constrain(constraints, negate(wanted))


@attrs.frozen(eq=False, repr=False)
class Maybe(_Prefixed):
    """Not known to fail: unknown passes."""

    keyword = "maybe"

    def masks(self, index: Index, now: datetime) -> Masks:
        _, no = self.part.masks(index, now)
        return index.all ^ no, no

    def truth(self, model: Model, now: datetime) -> Support:
        return self.part.truth(model, now) is not False

    def constrain(self, constraints: Constraints, wanted: int) -> None:
        # `maybe` is true for a true or unknown part, false for a false part, and never unknown.
        self.part.constrain(constraints, (TRUE | UNKNOWN) * bool(wanted & TRUE) | wanted & FALSE)


@attrs.frozen(eq=False, repr=False)
class _Group(Requirement):
    """Parts joined by one operator: flat, sorted and free of duplicates."""

    parts: tuple[Requirement, ...]
    text: str
    depth: int

    joined_by: ClassVar[str]
    of_nothing: ClassVar[str]

    def collect_references(self) -> ReferencedNames:
        references = [part.all_references() for part in self.parts]
        capabilities, fields, relative, _ = (
            zip(*references, strict=True) if references else ((), (), (), ())
        )
        return NO_NAMES.union(*capabilities), NO_NAMES.union(*fields), any(relative)


@attrs.frozen(eq=False, repr=False)
class And(_Group):
    """Every part holds; without parts, `true`."""

    joined_by = "and"
    of_nothing = "true"

    @property
    def terms(self) -> tuple[Requirement, ...]:
        return self.parts

    def masks(self, index: Index, now: datetime) -> Masks:
        yes, no = index.all, 0
        for part in self.parts:
            part_yes, part_no = part.masks(index, now)
            yes &= part_yes
            no |= part_no
        return yes, no

    def truth(self, model: Model, now: datetime) -> Support:
        return all_of(part.truth(model, now) for part in self.parts)

    def constrain(self, constraints: Constraints, wanted: int) -> None:
        for part in self.parts:
            part.constrain(constraints, wanted)


@attrs.frozen(eq=False, repr=False)
class Placed(And):
    """A conjunction that records the places in a request that ask for its terms."""

    places: Places = attrs.field(factory=dict)
    """Paths such as `messages[2].content[0].source`, or argument names, by the text of the term."""


@attrs.frozen(eq=False, repr=False)
class Or(_Group):
    """Some part holds; without parts, `not true`."""

    joined_by = "or"
    of_nothing = "not true"

    def masks(self, index: Index, now: datetime) -> Masks:
        yes, no = 0, index.all
        for part in self.parts:
            part_yes, part_no = part.masks(index, now)
            yes |= part_yes
            no &= part_no
        return yes, no

    def truth(self, model: Model, now: datetime) -> Support:
        return any_of(part.truth(model, now) for part in self.parts)

    def constrain(self, constraints: Constraints, wanted: int) -> None:
        # An approximation that keeps the proof linear: alternatives are not searched.
        if all(part.is_unsatisfiable() for part in self.parts):
            constraints.restrict(self.text, 0)


def conjunction(parts: Iterable[Requirement]) -> Requirement:
    """Return the requirement that every part holds."""
    return _group(And, parts)


def and_with_places(parts: Sequence[Requirement]) -> Requirement:
    """Return the requirement that every part holds, with the places of all parts."""
    plain = conjunction(parts)
    places: dict[str, tuple[str, ...]] = {}
    for part in parts:
        for text, paths in part.places.items():
            places[text] = tuple(dict.fromkeys((*places.get(text, ()), *paths)))
    # A literal has depth 0, but a `Placed` of one is a group.
    return (
        Placed(parts=plain.terms, text=plain.text, depth=plain.depth or 1, places=places)
        if places
        else plain
    )


def disjunction(parts: Iterable[Requirement]) -> Requirement:
    """Return the requirement that some part holds."""
    return _group(Or, parts)


def negation(part: Requirement) -> Requirement:
    """Return the requirement that the part is known not to hold, in canonical form."""
    if isinstance(part, And):
        return disjunction(map(negation, part.parts))
    if isinstance(part, Or):
        return conjunction(map(negation, part.parts))
    if isinstance(part, Not):
        return part.part
    complement = part.complement
    return Not(part) if complement is None else complement


def possibility(part: Requirement) -> Requirement:
    """Return the requirement that the part is not known to fail, in canonical form."""
    if isinstance(part, _Group):
        return _group(type(part), map(possibility, part.parts))
    if isinstance(part, Maybe) or (isinstance(part, Not) and isinstance(part.part, Maybe)):
        return part  # never unknown, so `maybe` would change nothing
    return Maybe(part)


def _group(kind: type[_Group], parts: Iterable[Requirement]) -> Requirement:
    flat: dict[str, Requirement] = {}
    for part in parts:
        if isinstance(part, kind):
            flat.update((each.text, each) for each in part.parts)
        # Only a `Placed` can have a single part; a group takes the part and drops the places.
        elif isinstance(part, _Group) and len(part.parts) == 1:
            flat[part.text] = part.parts[0]
        else:
            flat[part.text] = part
    if len(flat) == 1:
        return next(iter(flat.values()))
    texts = sorted(flat)
    within = tuple([flat[text] for text in texts])  # before `texts` gets parentheses
    depth = 1
    for at, part in enumerate(within):
        if isinstance(part, _Group) and part.parts:
            texts[at] = f"({part.text})"
            depth = max(depth, part.depth + 1)
    if depth > MAX_DEPTH:
        raise RequirementError(f"a requirement may nest at most {MAX_DEPTH} levels deep")
    return kind(within, f" {kind.joined_by} ".join(texts) if texts else kind.of_nothing, depth)
