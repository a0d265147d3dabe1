"""The site: built without a warning, read without a network, on a desk and on a phone.

One page that has everything in the ordinary suite, the whole site in `make soak`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
import threading
import zlib
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from runpy import run_path

import pytest

import fastdl

pytest.importorskip("sphinx", reason="pip install --group docs builds the site")
pytest.importorskip("myst_parser")
pytest.importorskip("furo")

DOCS = Path(__file__).parents[1] / "docs"

# A page with all that could be too wide, and a module with few names.
PAGE = f"""# Everything

$\\hat v_t = \\log \\sum_{{i=1}}^t v_i < 1$

$$y = {" + ".join(f"w_{{{i}}} x_{{{i}}}" for i in range(60))}$$

```{{beside}}
fastdl/reference/dropout.py: dropout_forward
csrc/dropout.c: keep_words; dropout
```

| {" | ".join(f"column{i}" for i in range(30))} |
|{"---|" * 30}
| {" | ".join(map(str, range(30)))} |

```python
{" + ".join(map(str, range(100)))}
```

Seeds come from {{py:func}}`fastdl.random.seed`.

```{{toctree}}
api/index
```
"""
CONF = f"""
from runpy import run_path

globals().update(run_path({str(DOCS / "conf.py")!r}))
public_modules = {{"fastdl.random": "seeds"}}
html_static_path = [{str(DOCS / "_static")!r}]
"""


def build(sources, site):
    """Build a site as `make docs` does: a warning is an error."""
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", sources, site],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(DOCS.parent)},
    )
    assert done.returncode == 0, done.stderr
    return site


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    (folder / "conf.py").write_text(CONF, encoding="utf-8")
    (folder / "index.md").write_text(PAGE, encoding="utf-8")
    (folder / "api").mkdir()
    shutil.copy(DOCS / "api" / "index.md", folder / "api")
    return build(folder, folder / "html")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    if not (DOCS / "gallery").exists():
        pytest.skip("a source distribution has no pictures")
    return build(DOCS, tmp_path_factory.mktemp("site"))


@contextlib.contextmanager
def served(site):
    """Serve a folder over HTTP; yield its address."""
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": print})
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=site)
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


# What a browser would fetch by itself; links to read are not.
LOADS = re.compile(
    r"""<(?:script|img|link|iframe|source)\b[^>]*(?:src|href)=["']?(?:https?:)?//[^>]*>"""
)
CSS_LOADS = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//[^)\s]*""")


def check_loads(site):
    pages = [*site.rglob("*.html")]
    assert pages
    for file in pages:
        assert not LOADS.findall(file.read_text(encoding="utf-8")), file
    for file in site.rglob("*.css"):
        assert not CSS_LOADS.findall(file.read_text(encoding="utf-8")), file


def pages_of(site):
    return [path for path in site.rglob("*.html") if "_static" not in path.parts]


WIDTHS = "return [document.documentElement.scrollWidth, window.innerWidth]"
# Of the text and of the headings, as WCAG 2 defines it.
CONTRAST = """
const light = (rgb) => {
  const [r, g, b] = rgb.match(/[\\d.]+/g).map((v) => {
    v /= 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const page = light(getComputedStyle(document.body).backgroundColor);
const ratio = (text) => (Math.max(page, text) + 0.05) / (Math.min(page, text) + 0.05);
const colour = (what) => getComputedStyle(document.querySelector(what)).color;
const parts = ["article p", "article h1", "article code", "article a"];
return [page, ...parts.map((part) => ratio(light(colour(part))))];
"""


def found(browser, address, word):
    """Return where the results of a search lead."""
    from selenium.webdriver.support.wait import WebDriverWait

    browser.get(f"{address}/search.html?q={word}")
    links = "return [...document.querySelectorAll('ul.search a')].map((a) => a.href)"
    return WebDriverWait(browser, 30).until(lambda _: browser.execute_script(links))


def check_search(browser, site, word, page):
    """A search finds a page, from a folder as from a server."""
    with served(site) as address:
        for place in (site.as_uri(), address):
            results = found(browser, place, word)
            assert any(result.startswith(f"{place}/{page}") for result in results)


def test_a_page_loads_nothing_from_elsewhere(small):
    check_loads(small)


def test_equations_are_mathml_and_kernels_stand_beside_their_reference(small):
    page = (small / "index.html").read_text(encoding="utf-8")
    equations = re.sub(r"\s", "", page)
    assert re.search(r"<msub><mover[^>]*><mi>v</mi>.*?</mover><mi>t</mi>", equations)
    assert "<munderover><momovablelimits" in equations  # of a sum
    for name in ("dropout_forward", "keep_words", "threshold"):
        assert name in page
    assert 'href="api/generated/fastdl.random.html#fastdl.random.seed"' in page


def test_the_foot_of_a_page_names_whose_it_is(small):
    page = (small / "index.html").read_text(encoding="utf-8")
    text = (DOCS.parent / "LICENSE").read_text(encoding="utf-8")
    (owner,) = re.findall(r"Copyright \(c\) (.+)", text)
    assert f"Copyright &#169; {owner}" in page


def test_a_build_that_did_not_end_is_started_afresh(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    needed = ["setup.py", "pyproject.toml", "fastdl/shapes/activations.py"]
    stamps = ("tools", "built", "installed", "documented")
    needed += [f".venv/{each}" for each in stamps]
    for path in map(Path, needed):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    python = Path(".venv/bin/python")
    python.parent.mkdir()
    python.write_text("#!/bin/sh\nmkdir -p docs/_build; echo >>docs/_build/pages; $END")
    python.chmod(0o755)

    def pages_after(end):
        subprocess.run(
            ["make", "-f", DOCS.parent / "Makefile", "docs"],
            env=os.environ | {"END": end},
            capture_output=True,
        )
        return Path("docs/_build/pages").read_text().count("\n")

    assert [*map(pages_after, ("true", "true", "false", "false", "true", "true"))] == [
        1, 2, 3, 1, 1, 2,
    ]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_fits_a_phone_and_can_be_read(small, browser, window, scheme):
    window(390, 844, scheme)
    browser.get((small / "index.html").as_uri())
    needed, there = browser.execute_script(WIDTHS)
    assert needed <= there == 390
    background, *contrasts = browser.execute_script(CONTRAST)
    assert (background < 0.1) == (scheme == "dark")
    assert min(contrasts) >= 4.5


def test_code_stands_side_by_side_on_a_desk_only(small, browser, window):
    tops = (
        "return [...document.querySelectorAll('.beside > *')]"
        ".map((block) => block.getBoundingClientRect().top)"
    )
    for width, rows in ((1600, 1), (390, 2)):
        window(width, 900)
        browser.get((small / "index.html").as_uri())
        assert len(set(browser.execute_script(tops))) == rows


def test_search_needs_no_network(small, browser, window):
    window(1280, 900)
    check_search(browser, small, "seeded", "api/generated/fastdl.random.html")


def test_every_public_module_has_a_page():
    """Each that fastdl exports, and the modules that these export."""
    modules = set(run_path(str(DOCS / "conf.py"))["public_modules"])
    exported = {f"fastdl.{name}" for name in fastdl._MODULES}
    for room in map(importlib.import_module, sorted(exported)):
        exported |= {
            value.__name__
            for name, value in vars(room).items()
            if name in getattr(room, "__all__", ()) and inspect.ismodule(value)
        }
    assert exported <= modules


@pytest.mark.soak
def test_every_public_name_has_an_entry(whole):
    modules = run_path(str(DOCS / "conf.py"))["public_modules"]
    names = importlib.import_module("names")
    *_, packed = (whole / "objects.inv").read_bytes().split(b"\n", 4)  # Sphinx's own
    entries = {
        line.split()[0] for line in zlib.decompress(packed).decode().splitlines()
    }
    for module in modules:
        for name, value in names.public(module).items():
            assert not entries.isdisjoint(names.entries(value, modules)), name


@pytest.mark.soak
def test_the_site_loads_nothing_from_elsewhere(whole):
    check_loads(whole)


@pytest.mark.soak
def test_every_page_fits_a_phone_and_a_desk(whole, browser, window):
    for width in (390, 1280):
        window(width, 844)
        for page in pages_of(whole):
            browser.get(page.as_uri())
            needed, there = browser.execute_script(WIDTHS)
            assert needed <= there == width, page


@pytest.mark.soak
def test_search_finds_pages(whole, browser, window):
    window(1280, 900)
    check_search(browser, whole, "winograd", "kernels.html")
    check_search(browser, whole, "Dropout", "api/generated/fastdl.nn.html")
