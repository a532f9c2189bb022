"""SDKSource: the Models API through an application's own client of the SDK."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from router._errors import CatalogueUnavailableError, RouterError
from router.catalogue._catalogue import Catalogue
from router.models._packaged_facts import PACKAGED, DocumentedPath
from router.refresh._assembly import fetch_catalogue
from router.refresh._credential import Credential, redact
from router.refresh._deadline import Deadline
from router.refresh._http_errors import OK, read_refusal
from router.refresh._listing import Pages, Progress, Query, Reply, check_media_type, gather, walk

_STREAMED: Final = "X-Stainless-Raw-Response"
"""The header that makes the client return a response whose body is unread."""


class SDKSource:
    """The Models API through an application's own `anthropic.Anthropic` client and its settings.

    Its retries are left out: the loader has its own, inside its deadline. What the client reads is
    held to the same bounds and guards as an answer of our own asking.
    """

    remote = True
    identity = None

    def __init__(
        self,
        client: Any,
        *,
        betas: Sequence[str] = (),
        lifecycle: Sequence[str] = (),
        documented: DocumentedPath = PACKAGED,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._wall = wall
        self._headers = {_STREAMED: "stream"} | (
            {"anthropic-beta": ",".join(sorted(betas))} if betas else {}
        )
        self._lifecycle = tuple(lifecycle)
        self.documented = documented

    def fetch(
        self, deadline: Deadline, progress: Progress | None = None, held: Catalogue | None = None
    ) -> Catalogue:
        """Fetch every page; raises `CatalogueUnavailableError` for every failure of the client."""

        def pages() -> Pages:
            return walk(lifecycle=self._lifecycle, progress=progress)

        try:
            return fetch_catalogue(
                pages, partial(self._get, deadline), held, self.documented, self._wall
            )
        except RouterError as error:
            failure = redact(error, self._credentials())
        raise failure

    def _credentials(self) -> list[Credential]:
        """Return the credentials that the client was given; those of its profiles are unknown."""
        given = (getattr(self._client, name, None) for name in ("api_key", "auth_token"))
        return [Credential("", secret) for secret in given if isinstance(secret, str) and secret]

    def _get(
        self, deadline: Deadline, path: str, query: Query, validators: Mapping[str, str]
    ) -> Reply:
        failure: CatalogueUnavailableError
        try:
            # Not `client.models`, which follows redirects.
            response = self._client.with_options(max_retries=0, timeout=deadline.remaining()).get(
                path,
                cast_to=object,
                options={
                    "params": _grouped(query),
                    "headers": self._headers,
                    "follow_redirects": False,
                },
            )
            try:
                if response.status_code != OK:
                    reason = f"the API answered {response.status_code}"
                    raise read_refusal(
                        reason, response.status_code, response.headers, None, self._wall()
                    )
                check_media_type(response.headers.get("content-type", ""))
                body = gather(response.iter_bytes(), deadline)
            finally:
                response.close()
            for credential in self._credentials():
                credential.check_body(body)
            return Reply(body)
        except RouterError:
            raise
        except Exception as error:  # noqa: BLE001 - the client raises its own tree, or what its credentials raise
            failure = self._translated(error)
        # Raised outside of the handler: the client's error holds the request, and with it the key.
        raise failure

    def _translated(self, error: Exception) -> CatalogueUnavailableError:
        """Return a client's error without its message, which the server wrote and may hold the key."""
        status = getattr(error, "status_code", None)
        reason = f"the client failed: {type(error).__name__}" + (f" ({status})" if status else "")
        headers = getattr(getattr(error, "response", None), "headers", {})
        failure = read_refusal(reason, status, headers, getattr(error, "body", None), self._wall())
        failure.reason, failure.args, failure.error_type = reason, (reason,), None
        return failure

    def __repr__(self) -> str:
        return f"SDKSource({type(self._client).__name__})"


def _grouped(query: Query) -> dict[str, Any]:
    """Return a query as the client wants it: a name that repeats as a list without its brackets."""
    grouped: dict[str, Any] = {}
    for name, value in query:
        if name.endswith("[]"):
            grouped.setdefault(name.removesuffix("[]"), []).append(value)
        else:
            grouped[name] = value
    return grouped
