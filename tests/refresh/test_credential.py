from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest
from canary import KEY, leaks

from router._errors import ConfigurationError
from router.refresh._credential import Credential, check_header_value


@pytest.mark.parametrize(
    ("credential", "headers"),
    [
        (Credential("x-api-key", "k"), {"x-api-key": "k"}),
        (Credential("authorization", "t", "Bearer "), {"authorization": "Bearer t"}),
    ],
    ids=repr,
)
def test_authorize(credential: Credential, headers: dict[str, str]) -> None:
    """A credential puts itself among the headers, and touches no other."""
    given = {"accept": "application/json"}

    credential.authorize(given)

    assert given == {"accept": "application/json"} | headers


@pytest.mark.parametrize("text", ["!", "~", "a" * 4096, "  a\t\r\n", "sk-ant_09/+="])
def test_sendable(text: str) -> None:
    """Printable ASCII without spaces can stand in a header; space around it is cut off."""
    assert check_header_value("name", text) == text.strip()


@pytest.mark.parametrize(
    "value", ["", " ", "a b", "a\nb", "é", "\x7f", "a" * 4097, None, b"a", 1], ids=ascii
)
def test_not_sendable(value: object) -> None:
    """K2: nothing else can, and the error says of what, not what."""
    with pytest.raises(ConfigurationError) as caught:
        check_header_value("name", value)

    assert str(caught.value) == "name must be 1 to 4096 printable ASCII characters without spaces"


@pytest.mark.parametrize(
    ("environ", "holds"),
    [
        ({}, False),
        ({"ANTHROPIC_API_KEY": ""}, False),
        ({"ANTHROPIC_API_KEY": "k"}, True),
        ({"ANTHROPIC_AUTH_TOKEN": "t"}, True),
    ],
    ids=str,
)
def test_credential_of_environment(environ: dict[str, str], holds: bool) -> None:
    """A variable that is set to nothing holds no credential."""
    assert Credential.is_set(environ) is holds


@pytest.mark.parametrize(
    ("secret", "text", "repeats"),
    [
        (KEY, "nothing of it", False),
        (KEY, f"key {KEY}", True),
        (KEY, f"key {KEY[:12]}...", True),
        (KEY, f"key ...{KEY[-12:]}", True),
        (KEY, f"key {KEY[5:17]}", True),
        (KEY, f"key {KEY[:11]}", False),
        (KEY, f"key {KEY[-11:]}", False),
        ("short", "a short text", True),
        ("short", "a shor text", False),
        ("short", "a hort text", False),
        ("exactly12chr", "exactly12chr", True),
        ("exactly12chr", "exactly12ch", False),
    ],
)
def test_is_repeated_by(secret: str, text: str, repeats: bool) -> None:
    """K1: a text repeats a secret where it has twelve characters of it, or all of a shorter one."""
    assert Credential("x-api-key", secret).is_repeated_by(text) is repeats


@pytest.mark.parametrize(
    ("secret", "body", "states"),
    [
        (KEY, "nothing of it", False),
        (KEY, f"key {KEY}", True),
        (KEY, f"key {KEY.lower()}", False),
        (KEY, f"key {KEY[:12]}...", False),
        (KEY, f"key {KEY[:-1]}", False),
        (KEY, f"key {KEY[1:]}", False),
        (KEY[:24], f"key {KEY}", True),
        (KEY[:23], f"key {KEY}", False),
        ("short", "a short text", False),
        (
            "a/secret/with/slashes/of/30/chars",
            r'{"id": "a\/secret\/with\/slashes\/of\/30\/chars"}',
            True,
        ),
        ('a"secret\\with\\quotes\\of\\30', r'{"id": "a\"secret\\with\\quotes\\of\\30"}', True),
        (KEY, "".join(f"\\u{ord(c):04x}" for c in KEY), True),
        (KEY, "".join(f"\\u{ord(c):04X}" for c in KEY[1:]), False),
        (KEY, f"\\{KEY[:-1]}", False),
    ],
)
def test_is_stated_in(secret: str, body: str, states: bool) -> None:
    """K1: a body states a secret where it has all of it, escaped or not, and that is of 24 characters or more."""
    assert Credential("x-api-key", secret).is_stated_in(body.encode()) is states


@pytest.mark.parametrize(
    ("credential", "shown"),
    [
        (Credential.read("k", None, {}), "<Credential x-api-key>"),
        (Credential.read(None, "t", {}), "<Credential authorization>"),
    ],
    ids=repr,
)
def test_shows_its_header(credential: Credential, shown: str) -> None:
    """A credential shows which header it goes into, which is also part of the name of its file on disk."""
    assert repr(credential) == shown


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_not_pickled_or_copied(take: Callable[[object], object]) -> None:
    """K1: a credential can be neither pickled nor copied, and says why."""
    with pytest.raises(TypeError, match="not to be copied or pickled"):
        take(Credential("x-api-key", KEY))


def test_shows_no_key() -> None:
    """K1: what a credential shows of itself is the name of its header."""
    credential = Credential("x-api-key", KEY)

    assert repr(credential) == str(credential) == "<Credential x-api-key>"
    assert leaks(repr([credential]), f"{credential!r:>40}") == []
