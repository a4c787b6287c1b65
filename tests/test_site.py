"""The documentation as a reader meets it: built once, then opened in a headless Chromium, page by page."""
import os
import re
import shutil
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from filelock import FileLock
from project import ROOT, copy_project, python

from wfclip import load_dataset

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if not (CHROMIUM and shutil.which("npm")) and not os.environ.get("CI"):
    pytest.skip("needs chromium and npm", allow_module_level=True)

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--no-first-run"]
RAW_MATH = r"""() => {
  const walker = document.createTreeWalker(document.querySelector('article'), NodeFilter.SHOW_TEXT), found = []
  while (walker.nextNode()) {
    const {data, parentElement} = walker.currentNode
    if (/\$[^$]+\$|\\\(|\\\[/.test(data) && !parentElement.closest('code, pre, script, style, .arithmatex')) found.push(data)
  }
  const unset = part => !part.querySelector('.katex') || part.querySelector('.katex-error')
  return found.concat([...document.querySelectorAll('.arithmatex')].filter(unset).map(part => part.textContent))
}"""
BAD_IMAGES = """async () => {
  const images = [...document.querySelectorAll('article img')]
  for (const image of images) image.loading = 'eager'
  await Promise.all(images.map(image => image.decode().catch(() => 0)))
  return images.filter(image => !image.naturalWidth || !image.alt).map(image => image.src)
}"""
WIDE = """() => {
  const page = document.documentElement
  return page.scrollWidth > page.clientWidth + 1 ? page.scrollWidth : 0
}"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args): pass


@pytest.fixture(scope="module")
def site(shared) -> Path:
    "The site, built by the first of the test processes that needs it"
    with FileLock(shared / "site.lock"):
        if not (shared / "site").exists():
            copy = copy_project(shared / "site-project")
            python("tools/build_site.py", shared / "site", cwd=copy, PYTHONPATH=str(copy))
    return shared / "site"


@pytest.fixture(scope="module")
def address(site) -> str:
    "Where a server on this machine has the site"
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    "A headless Chromium"
    from playwright.sync_api import sync_playwright
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, address):
    "A page that fails the test if it writes an error to the console or asks anyone else for anything"
    page, trouble = browser.new_page(base_url=address), []
    page.on("console", lambda m: m.type == "error" and trouble.append(m.text))
    page.on("pageerror", lambda e: trouble.append(str(e)))
    page.on("request", lambda r: r.url.startswith((address, "data:", "blob:")) or trouble.append(r.url))
    yield page
    page.close()
    assert not trouble


def names(site: Path) -> list[str]:
    "All pages"
    return sorted(p.relative_to(site).as_posix() for p in site.rglob("*.html") if p.name != "404.html")


def test_links_that_lead_nowhere_are_found(tmp_path):
    (tmp_path / "a.html").write_text('<h1 id="here">a</h1><a href="b.html#there">b</a> <a href="#here">fine</a><img src="c.png">', encoding="utf-8")
    (tmp_path / "b.html").write_text('<script src="https://example.org/x.js"></script> <a href="a.html#here">fine</a>', encoding="utf-8")
    code = "import sys, build_site; from pathlib import Path; print(*build_site.broken_links(Path(sys.argv[1])), sep='\\n')"
    said = python("-c", code, tmp_path, cwd=ROOT / "tools").strip().splitlines()
    assert said == ["a.html: no b.html#there", "a.html: no c.png", "b.html: loads https://example.org/x.js"]


def test_what_is_not_documented_is_found(tmp_path):
    (tmp_path / "sample.py").write_text('''
def f(
    a,
    b: int = 1,  # eV
):
    if b: raise ValueError("no")

class Size:
    "Says what it is."
    def __init__(self, height,  # Å
                 color): pass
''', encoding="utf-8")
    code = "import api_docs, sample as s; print(*api_docs.gaps('f', s.f), *api_docs.gaps('Size', s.Size), sep='\\n')"
    said = python("-c", code, cwd=ROOT / "tools", PYTHONPATH=str(tmp_path)).strip().splitlines()
    assert said == ["f: no docstring", "f: nothing said of a", "f: raises ValueError and does not say so",
                    "Size: nothing said of color"]


def test_every_notebook_has_a_page(site):
    listed = re.findall(r"(\S+)\.ipynb", (ROOT / "_quarto.yml").read_text(encoding="utf-8"))
    assert len(names(site)) == len(listed) + 1  # and the explorer


@pytest.mark.parametrize("width", (1400, 390))
def test_every_page_is_whole(site, page, width):
    page.set_viewport_size(dict(width=width, height=900))
    for name in names(site):
        page.goto(name)
        assert not page.evaluate(RAW_MATH), f"{name}: math is not rendered"
        if width > 1000: assert not page.evaluate(BAD_IMAGES), f"{name}: images that do not load or say nothing"
        assert not page.evaluate(WIDE), f"{name} is wider than {width} pixels"


def test_search_finds_a_symbol(page):
    page.goto("index.html", wait_until="networkidle")  # the search listens once its script has run
    page.locator("button", has_text="Search").first.click()
    page.get_by_role("combobox", name="Search").fill("GaussianExpansion")
    page.locator("a[href*='h=GaussianExpansion']").first.click()
    page.wait_for_url("**/nn/expansion.html*#gaussianexpansion")
    assert page.locator("#gaussianexpansion").is_visible()


def test_symbols_have_tables(page):
    page.goto("nn/expansion.html#gaussianexpansion")
    table = page.locator("h3#gaussianexpansion ~ .api table").first.inner_text()
    assert all(word in table for word in ("cutoff", "float", "8.0", "Å"))


def test_explorer_filters_and_selects(page):
    page.goto("explore.html")
    count, detail = page.locator(".wx-count"), page.locator(".wx-detail")
    everything = f"{len(load_dataset()):,}"
    page.wait_for_function(f"document.querySelector('.wx-count').textContent.startsWith('{everything} of {everything}')")
    page.locator(".wx-kinds summary").click()
    page.locator(".wx-kinds button", has_text="penta").click()
    page.wait_for_function(f"!document.querySelector('.wx-count').textContent.startsWith('{everything} of')")
    assert page.locator("select[name=prototype]").input_value() == "penta"
    assert page.locator(".wx-kinds button svg circle").count() > 500
    page.locator(".wx-kinds button", has_text="penta").click()
    page.wait_for_function(f"document.querySelector('.wx-count').textContent.startsWith('{everything} of')")
    page.locator("input[name=with]").fill("Mo, S")
    page.locator("input[name=without]").fill("Se, Te, O")
    page.wait_for_function(f"!document.querySelector('.wx-count').textContent.startsWith('{everything}')")
    assert 0 < int(count.inner_text().split()[0]) < 20
    page.locator(".wx-table tbody tr", has_text="H-MX2").first.click()
    page.wait_for_function("document.querySelector('.wx-detail').textContent.includes('MoS2')")
    assert detail.locator("svg").count() and "eV" in detail.inner_text()
    page.goto(page.url)  # the address holds the choice
    page.wait_for_function("document.querySelector('.wx-detail').textContent.includes('MoS2')")
