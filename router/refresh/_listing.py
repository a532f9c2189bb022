"""The Models API's list without I/O: a generator that yields queries and is sent page bodies.

Every page or none: whatever breaks the listing raises, and no part of it is handed out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn

from attrs import field, frozen

from router._errors import CatalogueError, CatalogueUnavailableError, printable, quoted
from router.refresh._deadline import Deadline
from router.refresh._http_errors import read_error

Query = list[tuple[str, str]]
Progress = Callable[[int], None]
"""Called with the number of entries so far, each time a page has come."""

Pages = Generator[Query, bytes, list[Any]]

PATH: Final = "/v1/models"
MAX_PAGES: Final = 100
MAX_PAGE_BYTES: Final = 4 * 2**20
MAX_MODELS: Final = 20_000
MAX_PAGE_SIZE: Final = 1000
"""The API's own largest `limit`."""

MAX_PAGE_VALUES: Final = 150_000
"""How many values a page may have: each costs far more memory than the two bytes that spell it."""

MAX_VALUES: Final = 1_500_000
"""How many values a listing may have: a model of today has forty."""

_SHOWN: Final = 200


@frozen
class Reply:
    """The answer to a query: its body, `None` if unchanged, and validators for the next time."""

    body: bytes | None
    validators: Mapping[str, str] = field(factory=dict)


Get = Callable[[str, Query, Mapping[str, str]], Reply]
"""Asks for a path with a query, and with the validators of an earlier answer."""


def gather(chunks: Iterable[bytes], deadline: Deadline) -> bytes:
    """Return the chunks of a body as one; chunks of any size cost only their bytes.

    Raises `CatalogueUnavailableError` past the deadline, and for more than `MAX_PAGE_BYTES`.
    """
    body = bytearray()
    for chunk in chunks:
        deadline.remaining()
        body += chunk
        check_size(len(body), MAX_PAGE_BYTES)
    return bytes(body)


def check_size(received: int, most: int) -> None:
    """Raise `CatalogueUnavailableError` for an answer of more bytes than that."""
    if received > most:
        raise CatalogueUnavailableError(f"the API answered with more than {most} bytes")


def check_media_type(content_type: str) -> None:
    """Raise `CatalogueError` for an answer that does not call itself JSON in UTF-8."""
    media_type, _, parameters = content_type.lower().partition(";")
    if media_type.strip() != "application/json" or (
        "charset" in parameters and "utf-8" not in parameters
    ):
        raise CatalogueError(f"not JSON: the answer is {printable(media_type)[:80] or 'untyped'}")


@frozen
class Page:
    """One page of a listing."""

    data: list[Any]
    has_more: bool
    first_id: str | None
    last_id: str | None


def walk(
    *,
    page_size: int = MAX_PAGE_SIZE,
    after_id: str | None = None,
    before_id: str | None = None,
    lifecycle: Sequence[str] = (),
    progress: Progress | None = None,
) -> Pages:
    """Walk a listing forward, or back from `before_id`, and return its entries in listing order.

    Raises `CatalogueError` for a page that is not one, for a cursor that is missing, unknown or
    repeated, and for more than `MAX_PAGES` pages, `MAX_MODELS` entries or `MAX_VALUES` values.
    """
    fixed = [("limit", str(page_size)), *(("lifecycle[]", stage) for stage in lifecycle)]
    backward = before_id is not None
    name = "before_id" if backward else "after_id"
    cursor = before_id if backward else after_id
    seen = {cursor}
    pages: list[list[Any]] = []
    values = 0
    while True:
        body = yield [*fixed, (name, cursor)] if cursor is not None else fixed
        values += _values(body)
        if values > MAX_VALUES:
            raise CatalogueError(f"the listing has more than {MAX_VALUES} values")
        page = read_page(body)
        pages.append(page.data)
        count = sum(map(len, pages))
        if progress:
            progress(count)
        if count > MAX_MODELS:
            raise CatalogueError(f"the listing has more than {MAX_MODELS} models")
        if not page.has_more:
            break
        cursor = page.first_id if backward else page.last_id
        _check_cursor(cursor, page, seen)
        seen.add(cursor)
        if len(pages) == MAX_PAGES:
            raise CatalogueError(f"the listing has more than {MAX_PAGES} pages")
    return [entry for data in (reversed(pages) if backward else pages) for entry in data]


def _check_cursor(cursor: str | None, page: Page, seen: set[str | None]) -> None:
    if not page.data:
        raise CatalogueError("an empty page says that there is more")
    if cursor is None or not any(
        isinstance(entry, dict) and entry.get("id") == cursor for entry in page.data
    ):
        raise CatalogueError(
            "a page says that there is more, but its cursor is not a model of the page"
        )
    if cursor in seen:
        raise CatalogueError("the pages of the listing form a loop")


def read_page(body: bytes) -> Page:
    """Read the body of one page; raises `CatalogueError` if it is not a page of a listing.

    A body that is an error of the API raises `CatalogueUnavailableError` with its type.
    """
    answer = read_json(body)
    if not isinstance(answer, dict):
        raise CatalogueError(f"not JSON: an object was expected (got {type(answer).__name__})")
    error = read_error(answer)
    if error is not None:
        raise error
    data, has_more = answer.get("data"), answer.get("has_more")
    if not isinstance(data, list):
        raise CatalogueError(f"data must be a list (got {type(data).__name__})")
    if not isinstance(has_more, bool):
        raise CatalogueError(f"has_more must be true or false (got {quoted(has_more)})")
    return Page(data, has_more, _cursor(answer, "first_id"), _cursor(answer, "last_id"))


def read_file(body: bytes) -> list[Any]:
    """Read a saved listing, or a list of entries; raises `CatalogueError` for anything else."""
    answer = _read(body)
    if isinstance(answer, dict) and answer.get("has_more"):
        raise CatalogueError("the listing is cut: has_more is true")
    entries = answer.get("data") if isinstance(answer, dict) else answer
    if not isinstance(entries, list):
        raise CatalogueError("a listing is an object whose `data` is a list")
    return entries


def read_json(body: bytes) -> Any:
    """Read an answer's JSON strictly as UTF-8; raises `CatalogueError` for anything else."""
    if _values(body) > MAX_PAGE_VALUES:
        raise CatalogueError(f"not JSON: an answer of more than {MAX_PAGE_VALUES} values")
    return _read(body)


def _values(body: bytes) -> int:
    """Return how many values a body has at most: one of these marks precedes each but the first."""
    return 1 + sum(map(body.count, (b"[", b"{", b",")))


def _read(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError, MemoryError) as error:
        reason = (
            str(error) if isinstance(error, ValueError) else "it nests too deep or is too large"
        )
        raise CatalogueError(f"not JSON: {reason[:_SHOWN]}") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _cursor(answer: dict[str, Any], name: str) -> str | None:
    value = answer.get(name)
    return value if isinstance(value, str) else None
