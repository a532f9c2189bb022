"""Requirement: a boolean expression over capabilities and fields, in Kleene's logic of three values.

Each node says twice what it means: `support(model)` is the definition, `masks(index)` the speed.
Every requirement is canonical from birth: negation stands only before what cannot absorb it, `maybe`
only before literals, groups are flat, sorted and free of duplicates. So equality is equality of text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache, reduce, wraps
from operator import and_, or_
from types import MappingProxyType
from typing import Any, ClassVar, Final, Protocol, TypeVar, cast

import attrs

from router._errors import RequirementError, quoted
from router.models._field_types import KINDS, ORDER, ORDERED, all_of, any_of, compare, shifted, span
from router.models._index import Index, Masks
from router.models._model import Model, Support
from router.models._vocabulary import DURATIONS, LEVELS
from router.requirements._satisfiability import FALSE, TRUE, UNKNOWN, Left, negated

Value_co = TypeVar("Value_co", covariant=True)

LONGEST_REMEMBERED: Final = 1000
"""Characters: nothing longer is remembered, so that the texts of others do not fill the memory."""


class Remembering(Protocol[Value_co]):
    """A function of a text that remembers what it returned."""

    def __call__(self, text: str, /) -> Value_co:
        """Return what belongs to the text."""

    def cache_clear(self) -> None:
        """Forget everything."""


def remembered(size: int) -> Callable[[Callable[[str], Value_co]], Remembering[Value_co]]:
    """Have a function of a text remember its last `size` results, except those of long texts."""

    def decorate(function: Callable[[str], Value_co]) -> Remembering[Value_co]:
        remembering = lru_cache(size)(function)

        @wraps(function)
        def call(text: str) -> Value_co:
            return remembering(text) if len(text) <= LONGEST_REMEMBERED else function(text)

        call.cache_clear = remembering.cache_clear  # type: ignore[attr-defined]
        return cast("Remembering[Value_co]", call)

    return decorate


MAX_DEPTH: Final = 64
"""How deep a requirement may nest; a limit of ours, far above any real need, so that nothing overflows a stack."""

COMPLEMENTS: Final = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    ">=": "<",
    "<=": ">",
    ">": "<=",
    "in": "not in",
    "not in": "in",
}
_EQUALITY: Final = frozenset({"==", "!=", "in", "not in"})
_MIRRORED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


Spoken = tuple[frozenset[str], frozenset[str], bool]
"""The capabilities and the fields that a requirement speaks of, and whether it is relative to the moment."""

Outline = tuple[frozenset[str], frozenset[str], bool, tuple[str, ...]]
"""The same, and the texts of its terms."""

_NOTHING: Final[frozenset[str]] = frozenset()

Places = Mapping[str, tuple[str, ...]]
"""Where each term was asked for, by the text of the term."""


class Requirement:
    """What an application needs of a model; made by `require`, combined with `&`, `|` and `~`.

    `str()` is the canonical text: it parses back to an equal requirement. A requirement has no truth
    value of its own.
    """

    __slots__ = ("outline",)
    outline: Outline
    """Filled at the first question about it: only `outlined` asks without knowing."""
    text: str
    depth: int = 0
    places: Places = MappingProxyType({})
    """The places of a request that ask for each term, by its text; a requirement of another origin has none."""

    def support(self, model: Model, *, now: datetime | None = None) -> Support:
        """Return whether the model meets this: `True`, `False`, or `None` where too little is known.

        `now` is the aware moment that `age` and `retires_in` are reckoned from, the present by default.
        """
        if not isinstance(model, Model):
            raise RequirementError(
                f"a Model was expected, such as catalogue[id] (got {type(model).__name__})"
            )
        return self.truth(model, moment(now))

    def matches(self, model: Model, *, now: datetime | None = None) -> bool:
        """Return whether the model is known to meet this."""
        return self.support(model, now=now) is True

    def is_unsatisfiable(self) -> bool:
        """Return `True` only if no model whatever can be known to meet this; `False` proves nothing.

        Takes time linear in the size of the requirement.
        """
        left = Left()
        self.narrow(left, TRUE)
        return left.is_nothing()

    @property
    def terms(self) -> tuple[Requirement, ...]:
        """The top-level conjuncts, each of which a model must meet."""
        return (self,)

    @property
    def capabilities(self) -> frozenset[str]:
        """Every capability this speaks of, by short path."""
        return self.outlined()[0]

    @property
    def fields(self) -> frozenset[str]:
        """Every field this speaks of."""
        return self.outlined()[1]

    @property
    def is_relative(self) -> bool:
        """Whether the answer depends on the present moment."""
        return self.outlined()[2]

    def outlined(self) -> Outline:
        """Return what this speaks of, gathered once, and the texts of its terms."""
        try:
            return self.outline
        except AttributeError:
            outline = (*self.speaks_of(), tuple([term.text for term in self.terms]))
            object.__setattr__(self, "outline", outline)  # frozen for others
            return outline

    def speaks_of(self) -> Spoken:
        """Return the capabilities and fields that this speaks of, and whether the answer depends on the moment."""
        raise NotImplementedError

    def masks(self, index: Index, now: datetime) -> Masks:
        """Return the rows known to meet this, and those known not to."""
        raise NotImplementedError

    def truth(self, model: Model, now: datetime) -> Support:
        """Return what is known of the model: the definition that `masks` is held to."""
        raise NotImplementedError

    def narrow(self, left: Left, wanted: int) -> None:
        """Take in that the truth of this is one of the `wanted`."""
        left.keep(self.text, wanted)

    def __and__(self, other: object) -> Requirement:
        return joined((self, other)) if isinstance(other, Requirement) else NotImplemented

    def __or__(self, other: object) -> Requirement:
        return disjunction((self, other)) if isinstance(other, Requirement) else NotImplemented

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


def moment(now: datetime | None) -> datetime:
    """Return `now` as aware UTC, the present by default; raises `RequirementError` for anything else."""
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
class Capability(Requirement):
    """The capability is supported."""

    text: str

    def masks(self, index: Index, now: datetime) -> Masks:
        return index.fact(self.text)

    def truth(self, model: Model, now: datetime) -> Support:
        return model.facts.get(self.text)

    def speaks_of(self) -> Spoken:
        return frozenset((self.text,)), _NOTHING, False


@attrs.frozen(eq=False, repr=False)
class Level(Requirement):
    """Some level of the capability from `level` on, upward or downward, is supported."""

    capability: str
    op: str
    level: str
    text: str = attrs.field(init=False)

    @text.default
    def _text(self) -> str:
        return f"{self.capability} {self.op} {self.level}"

    @property
    def levels(self) -> tuple[str, ...]:
        """The capabilities of which one is enough."""
        order = LEVELS[self.capability]
        at = order.index(self.level)
        names = order[at:] if self.op == ">=" else order[: at + 1]
        return tuple(f"{self.capability}.{name}" for name in names)

    def masks(self, index: Index, now: datetime) -> Masks:
        facts = [index.fact(name) for name in self.levels]
        return reduce(or_, (yes for yes, _ in facts)), reduce(and_, (no for _, no in facts))

    def truth(self, model: Model, now: datetime) -> Support:
        return any_of(model.facts.get(name) for name in self.levels)

    def narrow(self, left: Left, wanted: int) -> None:
        left.keep(self.text, wanted)
        if wanted == TRUE:
            left.keep_one_of(self.levels)
        elif wanted == FALSE:
            for name in self.levels:
                left.keep(name, FALSE)

    def speaks_of(self) -> Spoken:
        return frozenset(self.levels), _NOTHING, False


@attrs.frozen(eq=False, repr=False)
class Comparison(Requirement):
    """A field compared with a value.

    `kind` is how the field reads (`text`, `limit`, `number`, `date`, `duration` in days, `list`), or
    `any` for a field that the vocabulary does not know: then the value stays text, and is read as
    the type that each model's own value has.
    """

    field: str
    kind: str
    op: str
    value: Any
    text: str = attrs.field(init=False)

    @text.default
    def _text(self) -> str:
        write = KINDS[self.kind].write
        if isinstance(self.value, tuple):
            shown = f"({', '.join(write(each) for each in self.value)})"
        else:
            shown = write(self.value)
        return f"{self.field} {self.op} {shown}"

    @property
    def complement(self) -> Comparison | None:
        """The comparison that holds just where this one is known not to."""
        op = COMPLEMENTS.get(self.op)
        return Comparison(self.field, self.kind, op, self.value) if op else None

    def masks(self, index: Index, now: datetime) -> Masks:
        if self.kind in ORDERED and self.op in _MIRRORED:
            ordered = index.ordered(self.field)
            op, bound = self._bound(now)
            above = ordered.at_least(bound, strictly=op in {">", "<="})
            below = ordered.known ^ above
            return (above, below) if op[0] == ">" else (below, above)
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        if self.kind in ORDERED:
            ordered = index.ordered(self.field)
            return self._equal(
                reduce(or_, (ordered.within(*span(self.kind, each)) for each in values)),
                ordered.known,
            )
        column = index.column(self.field)
        if self.kind == "text" and self.op in _EQUALITY:
            return self._equal(reduce(or_, map(column.equal, values)), column.known)
        return column.where(lambda value: self._holds(value, now))

    def truth(self, model: Model, now: datetime) -> Support:
        value = model.values.get(self.field)
        return None if value is None else self._holds(value, now)

    def speaks_of(self) -> Spoken:
        return _NOTHING, frozenset((self.field,)), self.kind == "duration"

    def narrow(self, left: Left, wanted: int) -> None:
        left.keep(self.text, wanted)
        complement = self.complement
        if complement is not None:
            left.keep(complement.text, negated(wanted))
        known = {TRUE: self, FALSE: complement}.get(wanted)
        if known is not None and known.kind not in {"any", "list"}:
            left.keep_compared(known.field, known.kind, known.op, known.value)

    def _equal(self, equal: int, known: int) -> Masks:
        return (equal, known ^ equal) if self.op in {"==", "in"} else (known ^ equal, equal)

    def _holds(self, value: Any, now: datetime) -> Support:
        if self.op in {"!=", "not in"}:
            held = compare("==" if self.op == "!=" else "in", self.kind, value, self.value)
            return None if held is None else not held
        if self.kind == "duration":
            op, bound = self._bound(now)
            return ORDER[op](value, bound)
        return compare(self.op, self.kind, value, self.value)

    def _bound(self, now: datetime) -> tuple[str, Any]:
        """Return the operator and bound on the field itself: a duration becomes a moment."""
        if self.kind != "duration":
            return self.op, self.value
        if DURATIONS[self.field]["direction"] == "since":
            return _MIRRORED[self.op], shifted(now, -self.value)
        return self.op, shifted(now, self.value)


@attrs.frozen(eq=False, repr=False)
class Not(Requirement):
    """Known not to hold; unknown stays unknown."""

    part: Requirement
    text: str = attrs.field(init=False)

    @text.default
    def _text(self) -> str:
        return f"not {self.part.text}"

    def masks(self, index: Index, now: datetime) -> Masks:
        yes, no = self.part.masks(index, now)
        return no, yes

    def truth(self, model: Model, now: datetime) -> Support:
        support = self.part.truth(model, now)
        return None if support is None else not support

    def narrow(self, left: Left, wanted: int) -> None:
        self.part.narrow(left, negated(wanted))

    def speaks_of(self) -> Spoken:
        return self.part.outlined()[:3]


@attrs.frozen(eq=False, repr=False)
class Maybe(Requirement):
    """Not known to fail: what is unknown passes."""

    part: Requirement
    text: str = attrs.field(init=False)

    @text.default
    def _text(self) -> str:
        return f"maybe {self.part.text}"

    def masks(self, index: Index, now: datetime) -> Masks:
        _, no = self.part.masks(index, now)
        return index.all ^ no, no

    def truth(self, model: Model, now: datetime) -> Support:
        return self.part.truth(model, now) is not False

    def narrow(self, left: Left, wanted: int) -> None:
        self.part.narrow(left, (TRUE | UNKNOWN) * bool(wanted & TRUE) | wanted & FALSE)

    def speaks_of(self) -> Spoken:
        return self.part.outlined()[:3]


@attrs.frozen(eq=False, repr=False)
class _Group(Requirement):
    """Parts joined by one operator: flat, sorted, each once."""

    parts: tuple[Requirement, ...]
    text: str
    depth: int

    joined_by: ClassVar[str]
    of_nothing: ClassVar[str]

    def speaks_of(self) -> Spoken:
        outlines = [part.outlined() for part in self.parts]
        capabilities, fields, relative, _ = (
            zip(*outlines, strict=True) if outlines else ((), (), (), ())
        )
        return _NOTHING.union(*capabilities), _NOTHING.union(*fields), any(relative)


@attrs.frozen(eq=False, repr=False)
class And(_Group):
    """Every part holds; of nothing, `true`."""

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

    def narrow(self, left: Left, wanted: int) -> None:
        for part in self.parts:
            part.narrow(left, wanted)


@attrs.frozen(eq=False, repr=False)
class Placed(And):
    """A conjunction of which it is known what places of a request ask for some of its terms."""

    places: Places = attrs.field(factory=dict)
    """The paths, as `messages[2].content[0].source`, by the text of the term; an argument stands there by its name."""


@attrs.frozen(eq=False, repr=False)
class Or(_Group):
    """Some part holds; of nothing, `not true`."""

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

    def narrow(self, left: Left, wanted: int) -> None:
        if all(part.is_unsatisfiable() for part in self.parts):
            left.keep(self.text, 0)


@remembered(1024)
def capability(name: str) -> Capability:
    """Return the requirement that a capability is supported: the same one for the same name, as most come often."""
    return Capability(name)


def conjunction(parts: Iterable[Requirement]) -> Requirement:
    """Return the requirement that every part holds."""
    return _group(And, parts)


def joined(parts: Sequence[Requirement]) -> Requirement:
    """Return the requirement that every part holds, with all places that the parts know of."""
    plain = conjunction(parts)
    places: dict[str, tuple[str, ...]] = {}
    for part in parts:
        for text, paths in part.places.items():
            places[text] = tuple(dict.fromkeys((*places.get(text, ()), *paths)))
    return (
        Placed(parts=plain.terms, text=plain.text, depth=plain.depth or 1, places=places)
        if places
        else plain
    )


def disjunction(parts: Iterable[Requirement]) -> Requirement:
    """Return the requirement that some part holds."""
    return _group(Or, parts)


def negation(part: Requirement) -> Requirement:
    """Return the requirement that the part is known not to hold."""
    if isinstance(part, And):
        return disjunction(map(negation, part.parts))
    if isinstance(part, Or):
        return conjunction(map(negation, part.parts))
    if isinstance(part, Not):
        return part.part
    complement = part.complement if isinstance(part, Comparison) else None
    return Not(part) if complement is None else complement


def possibility(part: Requirement) -> Requirement:
    """Return the requirement that the part is not known to fail."""
    if isinstance(part, _Group):
        return _group(type(part), map(possibility, part.parts))
    if isinstance(part, Maybe) or (isinstance(part, Not) and isinstance(part.part, Maybe)):
        return part
    return Maybe(part)


def _group(kind: type[_Group], parts: Iterable[Requirement]) -> Requirement:
    flat: dict[str, Requirement] = {}
    for part in parts:
        if isinstance(part, kind):
            flat.update((each.text, each) for each in part.parts)
        elif isinstance(part, _Group) and len(part.parts) == 1:
            flat[part.text] = part.parts[0]
        else:
            flat[part.text] = part
    if len(flat) == 1:
        return next(iter(flat.values()))
    texts = sorted(flat)
    within = tuple([flat[text] for text in texts])
    depth = 1
    for at, part in enumerate(within):
        if isinstance(part, _Group) and part.parts:
            texts[at] = f"({part.text})"
            depth = max(depth, part.depth + 1)
    if depth > MAX_DEPTH:
        raise RequirementError(f"a requirement may nest at most {MAX_DEPTH} levels deep")
    return kind(within, f" {kind.joined_by} ".join(texts) if texts else kind.of_nothing, depth)
