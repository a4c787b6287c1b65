"""The tutorials and the quickstart run where only the wheel, what it requires and IPython are installed.

The environment is what `pip install wfclip ipython` would make, without a download: a fresh virtual environment into
which the wheel is installed, and for each package that the wheel's metadata or IPython require, directly or not, links
to its files in the environment of the tests. So nbdev, fastcore and pytest, or a package that nobody declared, are not
there, and neither is the repository: each notebook runs in an empty folder, its cells in order, in IPython. What a page
shows as a command is a shell cell (%%sh) and runs in a shell, as it stands; it may fail only where the cell says so.
Commands in the text of any page are at least such as the program takes.
"""
import ast
import builtins
import json
import re
import shlex
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from filelock import FileLock
from packaging.requirements import Requirement
from project import NAMES, NOTEBOOKS, ROOT, code_cells, python

from wfclip.cli import make_parser

PAGES = [name for name in NAMES if name.startswith("tutorials/") or name == "quickstart.ipynb"]
ABSENT = ("nbdev", "fastcore", "execnb", "ghapi", "pytest", "hypothesis")
RUN = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code": shell.run_cell("".join(cell["source"])).raise_error()
"""


def needed(requirements: list[str]) -> list[Distribution]:
    "Installed distributions that the requirements ask for, directly or through others"
    found, seen, todo = {}, set(), [(Requirement(text), {""}) for text in requirements]
    while todo:
        r, extras = todo.pop()
        if str(r) in seen or r.marker and not any(r.marker.evaluate({"extra": e}) for e in extras): continue
        seen.add(str(r))
        found[r.name] = distribution(r.name)
        todo += [(Requirement(text), {"", *r.extras}) for text in found[r.name].requires or []]
    return list(found.values())


def link(dist: Distribution, site: Path):
    "Links to the files of an installed distribution"
    for name in {file.parts[0] for file in dist.files or []} - {"..", "__pycache__"}:
        if not (site / name).exists(): (site / name).symlink_to(Path(str(dist.locate_file(name))).resolve())


def make_environment(folder: Path, wheel: Path):
    "A virtual environment with the wheel, its requirements and IPython"
    python("-m", "venv", "--without-pip", folder)
    site = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    python("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", site, wheel)
    metadata = Distribution.at(next(site.glob("wfclip-*.dist-info")))
    for dist in needed([*(metadata.requires or []), "ipython"]): link(dist, site)
    (script := folder / "bin/wfclip").write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m wfclip "$@"\n', encoding="utf-8")
    script.chmod(0o755)


@pytest.fixture(scope="session")
def interpreter(shared, wheel) -> Path:
    "Python in that environment, which the first test process makes"
    with FileLock(shared / "environment.lock"):
        if not (shared / "environment.made").exists():
            make_environment(shared / "environment", wheel)
            (shared / "environment.made").touch()
    return shared / "environment/bin/python"


def test_environment_holds_nothing_else(interpreter, tmp_path):
    code = ("import importlib.util, wfclip, IPython; print(wfclip.__file__); "
            f"print(*(name for name in {ABSENT} if importlib.util.find_spec(name)))")
    where, present = python("-c", code, cwd=tmp_path, executable=interpreter).split("\n")[:2]
    assert Path(where).is_relative_to(interpreter.parents[1]) and not present


@pytest.mark.parametrize("name", PAGES)
def test_page_runs_with_the_wheel_alone(name, interpreter, tmp_path):
    (folder := tmp_path / "empty").mkdir()
    python("-c", RUN, ROOT / "nbs" / name, cwd=folder, executable=interpreter, IPYTHONDIR=str(tmp_path), NO_COLOR="1")
    assert not list(folder.iterdir()), "it leaves files behind"


def shell_text(path: Path) -> str:
    "What stands in shell cells and shell blocks of a page"
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    typed = [source.partition("\n")[2] for kind, source in cells if kind == "code" and source.startswith("%%sh")]
    told = [block for kind, source in cells if kind == "markdown" for block in re.findall(r"(?ms)^```sh\n(.*?)^```", source)]
    return "\n".join(typed + told).replace("\\\n", " ")


def commands(path: Path) -> list[list[str]]:
    "The words of each command of wfclip that a page shows"
    parts = [part for line in shell_text(path).splitlines() for part in re.split(r"&&|\|\|?|;|[0-9]?>", line.partition(" #")[0])]
    found = [re.search(r"(?:^|\s-m\s)\s*wfclip\s+(.*)", part) for part in parts]
    return [shlex.split(match[1]) for match in found if match]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_commands_are_such_as_the_program_takes(path):
    for words in commands(path):
        try: make_parser().parse_args(words)
        except SystemExit as end: assert not end.code  # --help


def test_first_pages_begin_with_the_examples():
    for name in ("quickstart", "tutorials/00a_cif", "tutorials/02_vasp", "tutorials/03_espresso"):
        shown = commands(ROOT / f"nbs/{name}.ipynb")
        assert next(words for words in shown if words[0] != "--version") == ["examples"], name
        assert len(shown) > 5


@pytest.mark.parametrize("name", ("quickstart", "tutorials/00a_cif", "tutorials/02_vasp", "tutorials/03_espresso", "tutorials/08_own_property"))
def test_what_is_shown_needs_nothing_that_is_hidden(name):
    known, lacking = set(dir(builtins)), []
    for source in (cell["source"] for cell in code_cells(ROOT / f"nbs/{name}.ipynb")):
        if source.startswith("%%") or re.search(r"^#\|\s*(hide|code-fold)", source, re.M): continue
        nodes = list(ast.walk(ast.parse(source)))
        known |= {alias.asname or alias.name for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names}
        known |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        known |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)} | {node.arg for node in nodes if isinstance(node, ast.arg)}
        lacking += [node.id for node in nodes if isinstance(node, ast.Name) and node.id not in known]
    assert not lacking
