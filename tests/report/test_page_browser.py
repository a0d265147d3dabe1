"""The report in a real browser: phone, dark, keyboard, no network, no error."""

import pytest

from fastdl import report


@pytest.fixture(scope="module")
def pages(digits_run, hostile_run, many_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    runs = {
        "one": [digits_run],
        "hostile": [hostile_run],
        "many": [many_run],
        "several": [digits_run, many_run, hostile_run],
    }
    for name, each in runs.items():
        report.write_page(each, folder / f"{name}.html")
    return folder


@pytest.fixture
def visit(browser, pages):
    """Open a page; nothing may be written to the console until the test is over."""

    def open_page(name):
        browser.get((pages / f"{name}.html").as_uri())
        return browser

    browser.get_log("browser")  # what other pages have written is forgotten
    yield open_page
    assert browser.get_log("browser") == []


def shown(browser):
    return browser.execute_script(
        "return [...document.querySelectorAll('.gallery figure')]"
        ".filter((figure) => !figure.hidden).map((figure) => figure.dataset.cell)"
    )


@pytest.mark.parametrize("name", ["one", "hostile", "many", "several"])
def test_phone_scrolls_down_only(visit, window, name):
    window(390, 844)
    browser = visit(name)
    width = "return document.documentElement.scrollWidth"
    assert browser.execute_script(width) == 390


@pytest.mark.parametrize("name", ["one", "hostile", "many", "several"])
def test_desktop(visit, window, name):
    window(1280, 900)
    browser = visit(name)
    width = "return document.documentElement.scrollWidth - innerWidth"
    assert browser.execute_script(width) <= 0


def test_number_of_the_confusion_matrix_shows_its_mistakes(visit, window):
    window(1280, 900)
    browser = visit("one")
    assert len(shown(browser)) <= 24
    cell = browser.find_element("css selector", ".confusion a")
    wanted = cell.get_attribute("data-cell")
    cell.click()
    assert shown(browser) == [wanted] * int(cell.text)
    status = browser.switch_to.active_element
    assert status.get_attribute("role") == "status"
    assert "taken for" in status.text
    top = "return document.activeElement.getBoundingClientRect().top"
    assert 0 <= browser.execute_script(top) < 900


def test_by_keyboard(visit, window):
    """Tab reaches the numbers, Enter shows their mistakes, the button shows all."""
    from selenium.webdriver import ActionChains, Keys

    window(1280, 900)
    browser = visit("one")
    ActionChains(browser).send_keys(Keys.TAB).perform()
    assert browser.switch_to.active_element.text == "Skip to the results"
    cell = browser.find_element("css selector", ".confusion a")
    browser.execute_script("arguments[0].focus()", cell)
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    assert set(shown(browser)) == {cell.get_attribute("data-cell")}
    button = browser.find_element("css selector", "button.all")
    assert button.is_displayed()
    browser.execute_script("arguments[0].focus()", button)
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    everything = "return document.querySelectorAll('.gallery figure').length"
    assert len(shown(browser)) == browser.execute_script(everything)
    assert not button.is_displayed()


def test_large_matrix_shows_its_mistakes(visit, window):
    window(1280, 900)
    browser = visit("many")
    link = browser.find_element("css selector", ".pairs a")
    link.click()
    assert set(shown(browser)) == {link.get_attribute("data-cell")}


def test_runs_have_their_own_mistakes(visit, window):
    window(1280, 900)
    browser = visit("several")
    first = browser.find_element("css selector", "#run1-confusion .confusion a")
    before = len(shown(browser))
    first.click()
    galleries = browser.find_elements("css selector", ".gallery")
    assert len(galleries) == 3
    assert len(shown(browser)) < before


def test_names_stay_names(visit):
    browser = visit("hostile")
    assert browser.title.endswith("fastdl report")
    assert not browser.find_elements("css selector", "th script, th img, h2 i")


def test_dark_page_is_dark(visit, window):
    window(1280, 900, "dark")
    browser = visit("one")
    colour = "return getComputedStyle(document.body).backgroundColor"
    dark = browser.execute_script(colour)
    window(1280, 900, "light")
    assert (dark, browser.execute_script(colour)) == (
        "rgb(20, 23, 27)",
        "rgb(255, 255, 255)",
    )


def test_print_shows_whole_tables_on_white(visit, window):
    window(700, 900, "dark")  # about the width of a page of A4
    browser = visit("several")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    clipped = (
        "return [...document.querySelectorAll('.scroll')]"
        ".filter((each) => each.scrollWidth > each.clientWidth).length"
    )
    assert browser.execute_script(clipped) == 0
    colour = "return getComputedStyle(document.body).backgroundColor"
    assert browser.execute_script(colour) == "rgb(255, 255, 255)"


def test_works_without_its_script(browser, visit, window):
    """Links lead to the mistakes, all of which are shown."""
    window(1280, 900)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        visit("one")
        link = browser.find_element("css selector", ".confusion a")
        link.click()
        assert browser.current_url.endswith("#mistakes")
        hidden = browser.find_elements("css selector", ".gallery figure[hidden]")
        assert not hidden
    finally:
        browser.execute_cdp_cmd(
            "Emulation.setScriptExecutionDisabled", {"value": False}
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable(visit, window, scheme):
    """Contrast of text and paper, WCAG 2.2: 4.5 at least."""
    window(1280, 900, scheme)
    browser = visit("one")
    ratios = browser.execute_script(_CONTRASTS)
    assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}


_CONTRASTS = """
const style = getComputedStyle(document.documentElement);
const light = (name) => {
  const hex = style.getPropertyValue(name).trim().slice(1);
  const full = hex.length === 3 ? [...hex].map((c) => c + c).join("") : hex;
  const linear = [0, 2, 4].map((i) => parseInt(full.slice(i, i + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
};
const ratios = {};
for (const paper of ["--paper", "--card"]) {
  for (const ink of ["--ink", "--soft", "--accent", "--right-ink", "--wrong-ink"]) {
    const [a, b] = [light(paper), light(ink)].sort((x, y) => y - x);
    ratios[`${ink} on ${paper}`] = (a + 0.05) / (b + 0.05);
  }
}
return ratios;
"""
