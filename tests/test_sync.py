"""Notebooks, modules, README and table of contents say the same thing."""
import json
import re
from filecmp import cmpfiles

import pytest
import yaml
from project import NAMES, NOTEBOOKS, ROOT, code_cells, copy_project, python

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
BY_HAND = {"__init__.py", "__main__.py"}


def nbdev(call: str, cwd) -> str:
    "Call a function of nbdev in the project at `cwd`; what it printed"
    return python("-c", f"import nbdev.clean, nbdev.doclinks, nbdev.serve; nbdev.{call}", cwd=cwd)


def modules(project) -> set[str]:
    "The modules of the package, by path"
    return {p.relative_to(project / "wfclip").as_posix() for p in (project / "wfclip").rglob("*.py")}


def test_modules_are_what_the_notebooks_export(tmp_path):
    copy = copy_project(tmp_path / "project")
    for name in modules(copy):
        if name.rpartition("/")[2] not in BY_HAND: (copy / "wfclip" / name).unlink()
    nbdev("doclinks.nbdev_export()", copy)
    assert modules(copy) == modules(ROOT), "a module without a notebook, or a notebook that was not exported"
    _, differ, errors = cmpfiles(ROOT / "wfclip", copy / "wfclip", sorted(modules(ROOT)), shallow=False)
    assert not differ + errors, "run nbdev_export"


def test_notebooks_are_clean(tmp_path):
    copy = copy_project(tmp_path / "project")
    nbdev("clean.nbdev_clean()", copy)
    dirty = [n for n, p in zip(NAMES, NOTEBOOKS) if p.read_bytes() != (copy / "nbs" / n).read_bytes()]
    assert not dirty, "run nbdev_clean"


def test_documentation_can_be_made(tmp_path):
    said = nbdev("serve.proc_nbs(n_workers=0, force=True)", copy_project(tmp_path / "project"))
    assert "imports and other code" not in said, f"keep imports in cells of their own\n{said}"


def test_copies_are_what_they_are_copies_of():
    "A symbolic link would not survive a checkout on Windows."
    assert (ROOT / "nbs/_quarto.yml").read_bytes() == (ROOT / "_quarto.yml").read_bytes(), "copy _quarto.yml to nbs/"
    content = lambda folder: {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert content(ROOT / "examples") == content(ROOT / "wfclip/examples"), "copy wfclip/examples to examples"


def test_nothing_is_a_symbolic_link():
    links = [p for part in ("", "nbs", "wfclip", "tests", "tools", "benchmarks", "examples") for p in (ROOT / part).glob("**/*" if part else "*")
             if p.is_symlink() and not any(name[0] == "." for name in p.relative_to(ROOT).parts)]
    assert not links


def test_readme_is_made_from_the_index():
    python("tools/build_readme.py", "--check")


def test_one_notebook_per_module():
    exports = [m for p in NOTEBOOKS for c in code_cells(p) for m in re.findall(r"#\|\s*default_exp (\S+)", c["source"])]
    assert len(exports) == len(set(exports)), sorted(exports)


@each_notebook
def test_outputs_are_stored(path):
    outputs = [out for cell in code_cells(path) for out in cell["outputs"]]
    assert outputs, "no output is stored: run tools/run_notebooks.py, and let the notebook show something"
    assert not [out for out in outputs if out["output_type"] == "error"]
    assert not [out for out in outputs if out.get("name") == "stderr"], "warnings are no part of the documentation"
    texts = [out.get("text", {k: v for k, v in out.get("data", {}).items() if k != "image/png"}) for out in outputs]
    found = re.findall(r"(?<![\w/])(?:/home|/root|/tmp|/work|/Users)/[\w./-]+", json.dumps(texts))
    assert not found, "an output shows a path of the machine it was run on"


@each_notebook
def test_a_title_cell_holds_a_title_and_a_sentence(path):
    first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
    assert re.fullmatch(r"# .+\n\n> .+", first.strip()), "what follows in the same cell is left out of the documentation"


def test_sidebar_lists_each_notebook():
    def files(entries):
        for entry in entries: yield from files(entry.get("contents", [])) if isinstance(entry, dict) else [entry]
    quarto = yaml.safe_load((ROOT / "nbs/_quarto.yml").read_text(encoding="utf-8"))
    assert sorted(files(quarto["website"]["sidebar"]["contents"])) == sorted(NAMES)
