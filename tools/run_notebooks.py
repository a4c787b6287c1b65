"""Run notebooks and store their outputs, so that running again without a change gives the same bytes.

    python tools/run_notebooks.py                       # every notebook under nbs/
    python tools/run_notebooks.py nbs/data -j 2         # one folder, two at a time
    python tools/run_notebooks.py nbs/x.ipynb --check   # write nothing; say whether stored outputs are stale

Each notebook runs in a fresh process, in its own folder, on one thread. As in nbdev_test, `skip_exec: true` skips a
notebook, `#| eval: false` and the flags named by tst_flags in settings.ini skip a cell; what is skipped keeps the
outputs it has. Figures are stored as PNG of 100 dots per inch. What goes to stderr (warnings, progress bars) is shown
here but not stored, except that of a shell cell (%%sh), where it is part of the answer; `wfclip` is there the one of
this repository. A notebook that fails is reported with the cell and left as it was; the exit code is then 1.
"""
import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIGURES = "%config InlineBackend.rc = {'figure.dpi': 100}\nset_matplotlib_formats('png', metadata={'Software': None})"


def find(paths: list[str]) -> list[Path]:
    "The notebooks that `paths` (files or folders) stand for, in order, without those named _* or .*"
    found = []
    for path in map(Path, paths):
        if not path.exists(): sys.exit(f"{path}: no such file or folder")
        found += sorted(path.rglob("*.ipynb")) if path.is_dir() else [path]
    return [p.resolve() for p in found if not any(part[0] in "_." for part in p.resolve().relative_to(ROOT).parts)]


def add_ids(cells: list[dict]):
    "Give each cell without an id one made from its source, so that nbdev_clean and nbdev_export need not invent one."
    taken = {cell["id"] for cell in cells if "id" in cell}
    for cell in cells:
        if "id" in cell: continue
        name, n = "".join(cell["source"]), 0
        while (new := hashlib.sha256(f"{name}{n or ''}".encode()).hexdigest()[:8]) in taken: n += 1
        taken.add(new)
        cell["id"] = new


def execute(path: Path, flags: set[str]) -> str:
    "The text of notebook `path` after running it; a failing cell ends the process and says where and why."
    from execnb.nbio import dict2nb, nb2str
    from execnb.shell import CaptureShell
    from nbdev.clean import _nbdev_clean
    from nbdev.frontmatter import FrontmatterProc
    from nbdev.process import NBProcessor, extract_directives

    raw = json.loads(path.read_text(encoding="utf-8"))
    add_ids(raw["cells"])
    nb = dict2nb(raw)
    front = NBProcessor(path, procs=FrontmatterProc, process=True).nb.frontmatter_
    if str(front.get("skip_exec", False)).lower() != "true":
        shell = CaptureShell(path, mpl_format="png")
        shell.run(FIGURES)
        for i, cell in enumerate(nb.cells):
            source, directives = cell.source, extract_directives(cell)
            code, cell.source = cell.source, source
            if cell.cell_type != "code" or directives.get("eval:") == ["false"] or flags & directives.keys(): continue
            outputs = shell.run(code)
            if code.startswith("%%"): outputs = [as_shown(o) for o in outputs]
            if shell.exc: sys.exit(f"cell {i}\n{source}\n\n{traceback_of(shell.exc)}")
            noise = "".join("".join(o["text"]) for o in outputs if o.get("name") == "stderr")
            if noise: print(f"{path.relative_to(ROOT)} cell {i} wrote to stderr:\n{noise}", file=sys.stderr)
            cell.outputs = [o for o in outputs if o.get("name") != "stderr"]
    _nbdev_clean(nb)
    return nb2str(nb)


def as_shown(output: dict) -> dict:
    "What a command said, on whichever stream, without the time that it took."
    if output.get("output_type") != "stream": return output
    text = re.sub(r"(?<=epochs in )[0-9:]+(?=,)", "...", "".join(output["text"]))
    return output | {"name": "stdout", "text": text.splitlines(True)}


def traceback_of(error: BaseException) -> str:
    "The traceback of `error`, without the frames of the shell that ran the cell."
    frames = error.__traceback__
    while frames and "IPython" in frames.tb_frame.f_code.co_filename: frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


def worker(path: Path, out: Path):
    "Run one notebook in this process and write the result to `out`."
    from nbdev.config import get_config

    sys.path.insert(0, str(ROOT))
    os.chdir(path.parent)
    out.write_text(execute(path, set(get_config().tst_flags.split())), encoding="utf-8")


def run(path: Path, check: bool) -> bool:
    "Run one notebook in a process of its own, report it, and write it unless `check`; True if all is well."
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as tmp:
        out = Path(tmp) / path.name
        path_there = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        env = os.environ | dict(PATH=path_there, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1", PYTHONHASHSEED="0", IPYTHONDIR=tmp, IN_TEST="1", NO_COLOR="1")
        done = subprocess.run([sys.executable, __file__, "--worker", path, out], env=env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        ok = done.returncode == 0
        stale = ok and out.read_text(encoding="utf-8") != path.read_text(encoding="utf-8")
        if stale and not check: path.write_text(out.read_text(encoding="utf-8"), encoding="utf-8")
    state = "FAILED" if not ok else "stale" if stale and check else "written" if stale else "unchanged"
    print(f"{time.perf_counter() - start:6.1f} s  {state:9}  {path.relative_to(ROOT)}", flush=True)
    if done.stdout.strip(): print(done.stdout.rstrip(), file=sys.stderr, flush=True)
    return ok and not (stale and check)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", default=[str(ROOT / "nbs")], metavar="PATH")
    parser.add_argument("--check", action="store_true", help="write nothing, report stale outputs")
    parser.add_argument("-j", type=int, default=1, metavar="N", help="notebooks at a time")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker: return worker(*map(Path, args.paths))
    with ThreadPoolExecutor(args.j) as pool:
        results = list(pool.map(lambda path: run(path, args.check), find(args.paths)))
    print(f"{sum(results)} of {len(results)} notebooks {'fresh' if args.check else 'ran'}")
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
