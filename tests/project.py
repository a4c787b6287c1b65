"""What several tests need to know about the repository."""
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(p for p in (ROOT / "nbs").rglob("*.ipynb")
                   if not any(part[0] in "_." for part in p.relative_to(ROOT).parts))
NAMES = [p.relative_to(ROOT / "nbs").as_posix() for p in NOTEBOOKS]


def code_cells(path: Path) -> list[dict]:
    "The code cells of a notebook, each with its source as one string"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in cells if cell["cell_type"] == "code"]


def is_exported(source: str) -> bool:
    "Does the cell go into a module?"
    return re.search(r"^#\|\s*export", source, re.M) is not None


def copy_project(to: Path) -> Path:
    "A copy of the repository without what is built or ignored"
    ignore = shutil.ignore_patterns(".git", ".venv*", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", "_docs",
                                    "_site_build", "_proc", "runs", ".hypothesis", ".ipynb_checkpoints")
    return Path(shutil.copytree(ROOT, to, symlinks=True, ignore=ignore))


def python(*args, cwd: Path = ROOT, executable: Path | str = sys.executable, **env: str) -> str:
    "What Python prints when run with `args` in a fresh process; the test fails if the process does"
    env = {k: v for k, v in os.environ.items() if k not in ("IN_TEST", "PYTHONPATH")} | env
    env["PATH"] = os.pathsep.join([str(Path(executable).parent), env.get("PATH", "")])  # where a shell finds wfclip
    done = subprocess.run([executable, *map(str, args)], cwd=cwd, env=env, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode: pytest.fail(done.stdout[-6000:] or f"exit code {done.returncode}", pytrace=False)
    return done.stdout
