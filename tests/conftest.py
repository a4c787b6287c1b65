"""One thread per test process: the tests run in parallel, and results do not depend on the number of cores."""
import os
import re

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("MPLBACKEND", "agg")


def pytest_terminal_summary(terminalreporter):
    "The time of each notebook, the longest first."
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, [])]
    names = [(r, re.search(r"test_notebook\[(.+)\]", r.nodeid)) for r in reports if r.when == "call"]
    found = [(r.duration, name[1]) for r, name in names if name]
    if not found: return
    terminalreporter.section(f"time per notebook, {sum(t for t, _ in found):.0f} s together")
    for seconds, name in sorted(found, reverse=True): terminalreporter.write_line(f"{seconds:6.1f} s  {name}")
