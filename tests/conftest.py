"""One thread per test process: the tests run in parallel, and results do not depend on the number of cores."""
import os
import re
from pathlib import Path

import pytest
from filelock import FileLock  # a requirement of torch
from project import copy_project, python

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("MPLBACKEND", "agg")


QUICK = ("calculations", "cli", "config", "format", "house", "import", "known", "records", "reference")  # files of tests


def pytest_collection_modifyitems(items):
    "Mark what is quick and runs on any system, for `pytest -m quick`."
    for item in items:
        if item.path.stem.removeprefix("test_") in QUICK: item.add_marker("quick")


def pytest_terminal_summary(terminalreporter):
    "The time of each notebook, the longest first."
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, [])]
    names = [(r, re.search(r"test_notebook\[(.+)\]", r.nodeid)) for r in reports if r.when == "call"]
    found = [(r.duration, name[1]) for r, name in names if name]
    if not found: return
    terminalreporter.section(f"time per notebook, {sum(t for t, _ in found):.0f} s together")
    for seconds, name in sorted(found, reverse=True): terminalreporter.write_line(f"{seconds:6.1f} s  {name}")


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    "A temporary folder that all test processes of this run have in common"
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def wheel(shared) -> Path:
    "The wheel, made from the source distribution by the first process that asks for it"
    with FileLock(shared / "wheel.lock"):
        if not (shared / "dist").exists():
            project = copy_project(shared / "project")
            python("-m", "build", "--no-isolation", "--outdir", shared / "dist.new", project, cwd=shared)
            (shared / "dist.new").rename(shared / "dist")
    return next((shared / "dist").glob("*.whl"))
