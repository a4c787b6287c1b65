"""The structure of the package: what may import what, how large things may be, and what the notebooks are made of."""
import ast
import json
import sys
from collections import Counter
from functools import cache
from importlib import import_module

import nbformat
import pytest
from project import NAMES, NOTEBOOKS, ROOT, code_cells, is_exported

sys.path.append(str(ROOT / "tools"))
import house

NOUNS = {
    "data.layer": "Layer", "data.profile": "Profile", "data.readers": "Potential", "data.dataset": "WorkFunctionDataset Split",
    "nn.clip": "WFClip", "bank": "Bank", "predict": "Predictor Prediction", "index": "Index", "search": "Candidates",
}
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)


def test_each_module_has_a_floor():
    assert sorted({m.partition(".")[0] for m in house.sources()} - {room for rooms in house.FLOORS for room in rooms}) == []


def test_a_module_knows_nothing_above_it():
    assert not house.forbidden()


def test_no_circles():
    assert not house.circles()


def test_imports_within_functions_and_by_name_are_seen(monkeypatch):
    source = 'def f():\n    from ..search import search\n    import_module("wfclip.cli")\n    __import__(f"wfclip.{name}")'
    monkeypatch.setattr(house, "sources", lambda: {"data.layer": ast.parse(source), "search": None, "cli": None})
    assert set(house.named("data.layer")) == {"wfclip.search.search", "wfclip.cli", "wfclip."}
    assert {b for _, b in house.forbidden(["data.layer"])} == {"search", "cli", ""}


def test_only_two_modules_of_the_model_open_files():
    assert house.readers_of_files("nn.") <= {"nn.elements", "nn.clip"}


def test_classes_are_whole():
    assert len(house.single_bases()) <= 3, house.single_bases()


def test_lines_hold_one_statement():
    assert house.tuple_assignments() < .04


def test_text_has_an_encoding():
    files = [p for part in ("wfclip", "tests", "tools", "benchmarks") for p in sorted((ROOT / part).rglob("*.py"))]
    assert len(files) > 100 and not {p.name: lines for p in files if (lines := house.without_encoding(p))}


def test_the_public_surface_is_small():
    names = house.public()
    assert len(names) <= 290, Counter(name.rpartition(".")[0] for name in names).most_common()


def test_nothing_is_too_long():
    assert not house.too_long()


@pytest.mark.parametrize("module", NOUNS)
def test_each_noun_says_what_it_is(module):
    found = import_module(f"wfclip.{module}")
    for name in NOUNS[module].split():
        told_by = getattr(found, name).__repr__
        assert told_by.__module__ == found.__name__ and not hasattr(told_by, "__wrapped__"), f"{name} has no line of its own"


# --- the notebooks


@each_notebook
def test_a_notebook_is_valid(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    nbformat.validate(content)
    assert {cell["cell_type"] for cell in content["cells"]} <= {"code", "markdown"}
    assert len({cell["id"] for cell in content["cells"]}) == len(content["cells"])


@each_notebook
def test_an_exported_cell_is_one_class_or_short(path):
    for source in (cell["source"] for cell in code_cells(path) if is_exported(cell["source"])):
        classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
        longest = max((house.lines(node) for node in classes), default=0)
        assert len(source.splitlines()) <= (30 if longest < 20 else 80), source.splitlines()[1]


@cache
def trees(path) -> list[ast.Module]:
    "The code cells of a notebook as syntax trees, without those that are no Python"
    found = []
    for cell in code_cells(path):
        if cell["source"].startswith("%%"): continue
        lines = [line for line in cell["source"].splitlines() if not line.startswith(("%", "!"))]
        found.append(ast.parse("\n".join(lines)))
    return found


@each_notebook
def test_every_import_is_used(path):
    given = [(alias.asname or alias.name).partition(".")[0] for tree in trees(path) for node in tree.body
             if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    used = {node.id for tree in trees(path) for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert sorted(set(given) - used) == []
