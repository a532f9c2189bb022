"""The page of the matrix in a real browser: it says what Python says, it needs no network, and everybody can use it."""

from __future__ import annotations

import ast
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest
from matrix_listings import HOSTILE, LISTING, MARKS

from router import Catalogue, require
from router.cli._page import page as page_of
from router.tools._matrix import matrix

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.page, pytest.mark.timeout(1800)]

CHROMIUM: Final = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
SETTINGS: Final = 300
SEED: Final = 20261122

ODD: Final[list[dict[str, Any]]] = [
    *HOSTILE,
    *LISTING,
    {
        "id": "odd-stage",
        "lifecycle": ["active"],
        "line": "",
        "max_tokens": 5,
        "capabilities": {"pdf_input": 1},
    },
    {
        "id": "odd-price",
        "price": {"output": 1e-7},
        "line": "small",
        "capabilities": {"effort": {"supported": True}},
    },
    {"id": "odd-line", "line": 'and" or "x', "capabilities": {"citations": {"supported": False}}},
]
"""Unknown names, missing and odd lines, limits beyond a script's numbers, a lifecycle that is no text."""

STATE: Final = """() => {
  const ids = (list) => [...list.querySelectorAll("li")].map((item) => item.dataset.id);
  const rejected = document.getElementById("rejected");
  return {
    requirement: document.getElementById("requirement").textContent,
    python: document.getElementById("python").textContent,
    candidates: ids(document.getElementById("candidates")),
    picked: document.querySelector("#summary strong")?.textContent ?? null,
    qualifying: [...document.querySelectorAll("tr.qualifies")].map((row) => row.dataset.id),
    lacks: Object.fromEntries([...rejected.querySelectorAll("li")].map((item) => [item.dataset.id,
      [...item.querySelectorAll(".lack")].map((lack) =>
        [lack.dataset.term, lack.dataset.support === "0" ? false : null, lack.dataset.implicit === "true"])])),
  };
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium; skip where it, or what drives it, is not installed."""
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium")
    driver = pytest.importorskip(
        "playwright.sync_api", reason="no playwright: it is in the dependency group `page`"
    )
    with driver.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


Opened = Callable[..., "Page"]


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    """Open the page of a catalogue from its file, offline; a word on the console, or a request, is a failure."""
    said: list[str] = []
    asked: list[str] = []
    contexts = []

    def opened(catalogue: Catalogue, settings: str = "", text: str = "", **options: Any) -> Page:
        context = browser.new_context(
            offline=True, permissions=["clipboard-read", "clipboard-write"], **options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        path = tmp_path / "matrix.html"
        path.write_text(text or page_of(catalogue, matrix(catalogue)), encoding="ascii")
        page.goto(path.as_uri() + settings)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []
    assert {url.partition("#")[0] for url in asked} <= {(tmp_path / "matrix.html").as_uri()}


def set_at_random(page: Page, random: Random) -> None:
    """Set the controls as a person does, by clicks and keys, from a page that is cleared."""
    page.locator("#clear").click()
    for kind, most in (("with", 3), ("without", 1), ("line", 3), ("lift", 1)):
        boxes = page.locator(f'input[data-key="{kind}"]')
        for at in random.sample(range(boxes.count()), min(random.randint(0, most), boxes.count())):
            if random.random() < 0.5:
                boxes.nth(at).click()
            else:
                boxes.nth(at).press("Space")
    sliders = page.locator("input[type=range]")
    for at in range(sliders.count()):
        if random.random() < 0.3:
            slider = sliders.nth(at)
            slider.press(random.choice(["Home", "End"]))
            for _ in range(random.randint(0, 3)):
                slider.press(random.choice(["ArrowRight", "ArrowLeft"]))


def copied(page: Page, what: str) -> str:
    """Return what the copy button puts onto the clipboard."""
    page.evaluate("navigator.clipboard.writeText('nothing was copied')")
    page.locator(f'[data-copies="{what}"]').click()
    page.locator("#copying", has_text="Copied").wait_for()
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def differences(page: Page, catalogue: Catalogue) -> list[str]:
    """Return in what the page differs from what Python says of the requirement that the page gives."""
    state = page.evaluate(STATE)
    text = copied(page, "requirement")
    requirement = require(text)
    decision = catalogue.explain(requirement)
    ids = [model.id for model in catalogue.candidates(text)]
    rejected = {
        id: [[str(each.term), each.support, each.term.implicit] for each in unmet]
        for id, unmet in decision.rejected.items()
    }
    call = ast.parse(copied(page, "python"), mode="eval").body
    assert isinstance(call, ast.Call)
    expected = {
        "the text that is shown": (state["requirement"], text),
        "canonical": (text, str(requirement)),
        "candidates": (state["candidates"], ids),
        "rows of the matrix": (state["qualifying"], ids),
        "picked": (state["picked"], ids[0] if ids else None),
        "terms that are lacking": (state["lacks"], rejected),
        "the Python line": (ast.unparse(call.func), "router.select"),
        "its argument": (ast.literal_eval(call.args[0]), text),
    }
    return [
        f"{name}: {found} is not {wanted}"
        for name, (found, wanted) in expected.items()
        if found != wanted
    ]


@pytest.mark.parametrize(
    ("catalogue", "settings"),
    [(Catalogue.bundled(), SETTINGS), (Catalogue.from_listing(ODD), SETTINGS // 3)],
    ids=["bundled", "odd"],
)
def test_the_page_says_what_python_says(
    opened: Opened, catalogue: Catalogue, settings: int
) -> None:
    """Any ticks give a canonical requirement, for which Python has the same candidates, and the same terms lacking."""
    random = Random(SEED)  # noqa: S311 - the same settings each time
    page = opened(catalogue)
    found = set()
    for _ in range(settings):
        set_at_random(page, random)
        assert differences(page, catalogue) == []
        found.add(page.locator("#candidates li").count())

    assert 0 in found, "some settings are met by nobody"
    assert len(found) > 2, "and others by more or fewer"


def test_a_page_that_takes_unknown_for_supported_is_found_out(opened: Opened) -> None:
    """The twin that must fail: with every unknown taken for a yes, the same settings show what differs."""
    catalogue = Catalogue.bundled()
    text = re.sub(
        r'"support":"([01?]+)"',
        lambda found: f'"support":"{found[1].replace("?", "1")}"',
        page_of(catalogue, matrix(catalogue)),
    )
    page = opened(catalogue, text=text)
    random = Random(SEED)  # noqa: S311 - the same settings each time
    differing = 0
    for _ in range(20):
        set_at_random(page, random)
        differing += any(
            each.startswith(("candidates", "terms")) for each in differences(page, catalogue)
        )

    assert differing > 0


def test_nothing_ticked_is_what_everything_meets(opened: Opened) -> None:
    """The page begins with `true`: all that the default filters admit."""
    catalogue = Catalogue.bundled()
    page = opened(catalogue)

    assert page.locator("#requirement").text_content() == "true"
    assert differences(page, catalogue) == []


@pytest.mark.parametrize(
    ("settings", "summary", "title"),
    [
        (
            "#with=traits.prefill&with=effort.max",
            "0 of 33 models qualify; none is picked",
            "No model qualifies",
        ),
        (
            "#price.output=0.5",
            "1 of 33 models qualify; picked is claude-haiku-5-5",
            "1 model qualifies",
        ),
        (
            "#line=sonnet&with=effort.max",
            "3 of 33 models qualify; picked is claude-sonnet-5-5",
            "3 models qualify",
        ),
    ],
)
def test_the_answer_is_told_in_words(
    opened: Opened, settings: str, summary: str, title: str
) -> None:
    """How many qualify and which is picked, also where nobody does."""
    page = opened(Catalogue.bundled(), settings)

    assert page.locator("#summary").text_content() == summary
    assert (page.locator("#candidates-title").text_content() or "").partition(",")[0] == title


def test_the_cells_are_the_marks(opened: Opened) -> None:
    """Each cell stands in the row of its model and the column of its capability, and is named in words."""
    catalogue = Catalogue.bundled()
    shown = matrix(catalogue)
    page = opened(catalogue)
    cells = page.evaluate(
        """() => [...document.querySelectorAll("#table tbody tr")].map((row) =>
            [row.dataset.id, [...row.querySelectorAll("td span")].map((mark) =>
                [mark.textContent, mark.getAttribute("aria-label")])])"""
    )
    words = {True: "supported", False: "unsupported", None: "unknown"}

    assert page.evaluate(
        """() => [...document.querySelectorAll("th[scope=col]:not(.corner)")]
            .map((head) => head.getAttribute("aria-label"))"""
    ) == [*shown.capabilities]
    assert cells == [
        [model.id, [[MARKS[support], words[support]] for support in shown.supports(model)]]
        for model in shown.models
    ]


def test_many_models(opened: Opened) -> None:
    """Of thousands of models the newest 300 are shown in each place, and all of them are counted and chosen from."""
    models = [
        {"id": f"m{at:05}", "line": "opus" if at == 4_999 else "haiku"} for at in range(5_000)
    ]
    page = opened(Catalogue.from_listing(models), "#line=opus")

    assert page.locator("#summary").text_content() == "1 of 5000 models qualify; picked is m04999"
    assert page.locator("#table tbody tr").count() == 300
    assert page.locator("#scroll + .more").text_content() == "4700 more models are not shown here"
    assert page.locator("#rejected li[data-id]").count() == 300
    assert (
        page.locator("#rejected li.more").text_content()
        == "4699 more models are not shown in this list"
    )


def test_a_hostile_catalogue_is_but_text(opened: Opened) -> None:
    """What would be markup is shown as it is spelt, and runs nothing: the console and the dialogs stay silent."""
    page = opened(Catalogue.from_listing(ODD))

    assert "<b>bold</b>" in page.locator("#table thead").inner_text()
    assert page.locator("b, svg, img, iframe").count() == 0
    assert page.locator("script").count() == 2


def test_the_policy_stops_what_slips_through(browser: Browser, tmp_path: Path) -> None:
    """The twin of the escapes: had a script got into the page, its policy would not run it."""
    catalogue = Catalogue.bundled()
    path = tmp_path / "matrix.html"
    text = page_of(catalogue, matrix(catalogue))
    path.write_text(
        text.replace("</main>", "</main><script>document.title = 'owned'</script>"),
        encoding="ascii",
    )
    page = browser.new_page()
    page.goto(path.as_uri())

    assert page.title() == "Models against capabilities"
    assert page.locator("#requirement").text_content() == "true"
    page.close()


def test_a_link_carries_the_settings(opened: Opened) -> None:
    """The address of any settings opens the page with the same ones."""
    catalogue = Catalogue.from_listing(ODD)
    random = Random(SEED)  # noqa: S311 - the same settings each time
    page = opened(catalogue)
    for _ in range(15):
        set_at_random(page, random)
        again = opened(catalogue, "#" + page.url.partition("#")[2])
        assert (
            again.locator("#requirement").text_content()
            == page.locator("#requirement").text_content()
        )
        assert again.locator("#copying").text_content() == ""


def test_a_link_from_another_catalogue_says_what_is_missing(opened: Opened) -> None:
    """A term that the page cannot ask for is never left out in silence."""
    page = opened(Catalogue.bundled(), "#with=pdf_input&with=holograms&max_tokens=77&line=opus")

    assert page.locator("#requirement").text_content() == "line == opus and pdf_input"
    assert page.locator("#copying").text_content() == (
        "The address asks for what this page does not have: with holograms, max_tokens 77."
    )


def test_two_ticks_of_a_capability_exclude_each_other(opened: Opened) -> None:
    """What must be supported cannot also have to be unsupported; a second press takes a tick back."""
    page = opened(Catalogue.bundled())
    required, excluded = (
        page.get_by_role("checkbox", name=name, exact=True)
        for name in ("effort.max", "not effort.max")
    )
    texts = []
    for box in (required, excluded, excluded):
        box.click()
        texts.append(page.locator("#requirement").text_content())

    assert texts == ["effort.max", "not effort.max", "true"]


def test_the_keyboard_is_enough(opened: Opened) -> None:
    """From the top of the page: the skip link, then every control by Tab, each with a focus that is seen."""
    page = opened(Catalogue.bundled(), "#with=pdf_input")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "answer"
    assert page.locator("#requirement").text_content() == "pdf_input", (
        "the link does not take the settings away"
    )
    assert page.url.endswith("#with=pdf_input")

    page.reload()
    controls = page.locator("button, input, a, #scroll").count()
    reached = set()
    for _ in range(controls):
        page.keyboard.press("Tab")
        outline, name = page.evaluate(
            """() => {
              const element = document.activeElement;
              if (!element.dataset.at) element.dataset.at = String(Math.random());
              return [getComputedStyle(element).outlineStyle, element.dataset.at];
            }"""
        )
        assert outline != "none"
        reached.add(name)
    assert len(reached) == controls


def test_every_control_has_a_name(opened: Opened) -> None:
    """A reader of the screen is told each control by the term that it stands for."""
    catalogue = Catalogue.bundled()
    page = opened(catalogue)
    for name in matrix(catalogue).capabilities:
        for each in (name, f"not {name}"):
            assert page.get_by_role("checkbox", name=each, exact=True).count() == 1
    slider = page.get_by_role("slider", name="max_input_tokens")
    assert slider.get_attribute("aria-valuetext") == "any"
    slider.press("End")
    assert slider.get_attribute("aria-valuetext") == "at least 1M"
    assert page.get_by_role("group", name="effort", exact=True).count() == 1
    assert (
        page.get_by_role("status").first.text_content() == page.locator("#summary").text_content()
    )
    for name in ("Copy the requirement", "Copy the Python line"):
        assert page.get_by_role("button", name=name, exact=True).count() == 1


CONTRASTS: Final = """() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = channels(getComputedStyle(each).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility() || element.closest("noscript")) continue;
    const [one, other] = [light(channels(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    found.push([ratio, walker.currentNode.textContent.slice(0, 40)]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out(opened: Opened, scheme: str) -> None:
    """In both themes the contrast of each text is 4.5 at least, as WCAG asks for at level AA."""
    page = opened(
        Catalogue.bundled(), "#with=effort.max&line=opus&without=citations", color_scheme=scheme
    )
    found = page.evaluate(CONTRASTS)

    assert len(found) > 1000
    assert [each for each in found if each[0] < 4.5] == []


def test_the_theme_can_be_chosen(opened: Opened) -> None:
    """By default it is that of the system; the button goes over light to dark, and the choice is kept."""
    page = opened(Catalogue.bundled(), color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Theme: auto").click()
    light = page.evaluate(ground)
    page.get_by_role("button", name="Theme: light").click()

    assert page.evaluate(ground) == dark != light
    page.reload()
    assert page.get_by_role("button", name="Theme: dark").count() == 1


@pytest.mark.parametrize(
    "catalogue", [Catalogue.bundled(), Catalogue.from_listing(ODD)], ids=["bundled", "odd"]
)
@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_only_the_matrix_is_wider_than_the_window(
    opened: Opened, catalogue: Catalogue, width: int
) -> None:
    """At the width of a phone the page itself does not scroll sideways, and the names of the models stay in sight."""
    page = opened(catalogue, "#with=effort.max", viewport={"width": width, "height": 844})

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.getElementById('scroll').scrollLeft = 5000")
    assert page.locator("#table tbody th").first.bounding_box() is not None
    left = page.evaluate(
        "document.querySelector('#table tbody th').getBoundingClientRect().left"
        " - document.getElementById('scroll').getBoundingClientRect().left"
    )
    assert 0 <= left <= 2


def test_without_a_clipboard_the_button_copies_too(opened: Opened) -> None:
    """Where the browser gives the page no clipboard, the older way stands in."""
    page = opened(Catalogue.bundled(), "#with=pdf_input")
    page.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('denied')); }"
    )
    page.locator('[data-copies="requirement"]').click()
    page.locator("#copying", has_text="Copied").wait_for()

    assert page.evaluate("navigator.clipboard.readText()") == "pdf_input"
    assert page.evaluate("document.activeElement.dataset.copies") == "requirement"


def test_the_data_is_that_of_the_file(opened: Opened) -> None:
    """The page names its catalogue: source, date, size and the beginning of the digest."""
    catalogue = Catalogue.bundled()
    page = opened(catalogue)
    size, digest = f"{len(catalogue)} models", f"digest {catalogue.digest[:12]}"

    assert page.locator("#catalogue").text_content() == (
        f"bundled catalogue of {catalogue.as_of:%Y-%m-%d %H:%M}Z, {size}, {digest}"
    )
    assert (
        json.loads(page.locator("#data").text_content() or "")["catalogue"]["digest"]
        == catalogue.digest
    )
