"""Credential: an API key or bearer token, whose value shows in no repr, error or log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final

from attrs import define

from router._errors import CatalogueUnavailableError, ConfigurationError, RouterError

_SENDABLE: Final = re.compile(r"[!-~]{1,4096}")
_WINDOW: Final = 12
"""How many characters of a secret are worth stealing; a text of ours holds no such part of it."""

_DISTINCT: Final = 24
"""How long a secret has to be for a listing not to hold it by chance."""

_ESCAPED: Final = re.compile(rb"\\(?:u00([0-7][0-9a-fA-F])|(.))", re.DOTALL)
"""What stands for an ASCII character in JSON."""


def _unescaped(escape: re.Match[bytes]) -> bytes:
    code, character = escape.groups()
    return bytes([int(code, 16)]) if code else character


def check_header_value(name: str, value: object) -> str:
    """Return the value without surrounding space, fit for a header; the error never shows it."""
    text = value.strip() if isinstance(value, str) else ""
    if not _SENDABLE.fullmatch(text):
        raise ConfigurationError(
            f"{name} must be 1 to 4096 printable ASCII characters without spaces"
        )
    return text


class _RepeatedError(CatalogueUnavailableError):
    """An answer that repeats the credential, nor may its frames be shown; `redact` replaces it."""


@define(eq=False, repr=False)
class Credential:
    """The header that proves who asks."""

    _header: str
    _secret: str
    _prefix: str = ""

    @classmethod
    def read(
        cls, api_key: str | None, auth_token: str | None, environ: Mapping[str, str]
    ) -> Credential:
        """Return the credential of the arguments, else of the environment; a key wins over a token."""
        names = "api_key", "auth_token"
        if api_key is None and auth_token is None:
            names = "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"
            api_key, auth_token = (environ.get(name) or None for name in names)
        if api_key is not None:
            return cls("x-api-key", check_header_value(names[0], api_key))
        if auth_token is not None:
            return cls("authorization", check_header_value(names[1], auth_token), "Bearer ")
        raise ConfigurationError(
            "no credential: set ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN, or pass api_key or auth_token"
        )

    @staticmethod
    def is_set(environ: Mapping[str, str]) -> bool:
        """Return whether the environment holds a credential."""
        return bool(environ.get("ANTHROPIC_API_KEY") or environ.get("ANTHROPIC_AUTH_TOKEN"))

    def authorize(self, headers: MutableMapping[str, str]) -> None:
        """Put the credential among the headers of a request."""
        headers[self._header] = self._prefix + self._secret

    def identify(self, *facts: str) -> str:
        """Return a keyed hash of `facts`, from which neither they nor the credential can be read."""
        import hmac

        text = "\0".join((self._header, *facts)).encode()
        return hmac.new(
            self._secret.encode(), b"capability-router catalogue v1\0" + text, "sha256"
        ).hexdigest()[:40]

    def check_body(self, body: bytes) -> None:
        """Refuse a body that repeats the credential: it would be logged, or kept on disk."""
        if self.is_stated_in(body):
            raise _RepeatedError("a body that repeats the credential")

    def is_stated_in(self, body: bytes) -> bool:
        """Return whether `body`, or the JSON in it, holds the whole of a long secret."""
        secret = self._secret.encode()
        if len(secret) < _DISTINCT:
            return False
        return secret in body or (b"\\" in body and secret in _ESCAPED.sub(_unescaped, body))

    def is_repeated_by(self, text: str) -> bool:
        """Return whether `text` holds twelve characters of the secret in a row, in any case."""
        secret, searched = self._secret.lower(), text.lower()
        return any(
            secret[at : at + _WINDOW] in searched for at in range(max(1, len(secret) - _WINDOW + 1))
        )

    def __repr__(self) -> str:
        return f"<Credential {self._header}>"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a credential is not to be copied or pickled")


def redact(error: RouterError, credentials: Iterable[Credential]) -> RouterError:
    """Return the error as it may be told, logged and kept.

    It comes without the frames that raised it, which hold what the server sent: that may repeat the request, and with
    it the key. Where its own words do, which are the server's, it comes without them too.
    """
    said = f"{error} {getattr(error, 'error_type', '')}"
    if isinstance(error, _RepeatedError) or any(each.is_repeated_by(said) for each in credentials):
        return CatalogueUnavailableError(
            "the API's answer is withheld: it repeats the credential",
            status=getattr(error, "status", None),
            retry_after=getattr(error, "retry_after", None),
            retryable=getattr(error, "retryable", False),
        )
    return strip_traceback(error)


def strip_traceback(error: RouterError) -> RouterError:
    """Return the error, and its causes that are ours, without the frames that raised them."""
    each: BaseException | None = error
    while each is not None:
        each.__traceback__ = each.__context__ = None
        each.__cause__ = each.__cause__ if isinstance(each.__cause__, RouterError) else None
        each = each.__cause__
    return error
