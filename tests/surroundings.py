"""Commands in odd surroundings: streams that are closed, full disks, names that are no text. As a script: all of them, or some.

    python tests/surroundings.py [WORD...]          # those whose name holds one of the words

prints what is wrong with each that fails, and a line of JSON for each kind: tried, failed. The environment variable WFCLIP names
another source tree to try.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from project import ROOT

ODD = os.fsdecode(b'a,"b\n\x1b[31mr\xe9d')  # a name with a comma, a quote, a line break, an escape sequence, and a byte that is no UTF-8
TABLE = r"\Astructure[^\x1b]*\n(WSSe|a,\"b\\n\\x1b\[31mr\\udce9d) [^\x1b]*\Z"
ROWS = r'\Aid,.*\n("a,""b\n\x1b\[31mr\udce9d"|WSSe|graphene),.*\n'


class Case(NamedTuple):
    "A command as a shell is given it, and what may come of it."
    line: str
    codes: tuple[int, ...] = (0,)
    out: str = ""  # a pattern that is found in stdout
    err: str = ""  # a pattern that is found in stderr


def sentence(says: str, *codes: int) -> dict: return dict(codes=codes or (2,), err=rf"(?m)^wfclip: .*{says}")


CASES = {
    "closed: stdout": Case("wfclip predict WSSe.cif >&-", **sentence("stdout: closed")),
    "closed: stdout of a job": Case("wfclip predict WSSe.cif -o OUT.csv >&- && cat OUT.csv", out=ROWS),
    "closed: stderr": Case("wfclip predict WSSe.cif none.cif --csv 2>&-", (1,), ROWS + r"none.cif,none.cif,.*no such file.*\n\Z"),
    "closed: stdout and stderr": Case("wfclip predict WSSe.cif none.cif >&- 2>&-", (2,)),
    "closed: stdin": Case("wfclip predict WSSe.cif <&-", out=TABLE),
    "closed: all three": Case("wfclip predict WSSe.cif -o OUT.csv <&- >&- 2>&- && cat OUT.csv", out=ROWS),
    "closed: stdout of --help": Case("wfclip --help >&-"),
    "closed: stdout of data info": Case("wfclip data info small >&-", **sentence("stdout: closed")),
    "closed: stdout of search": Case("wfclip search --work-function 4 5 --json >&-", **sentence("stdout: closed")),
    "broken pipe: predict": Case("wfclip predict WSSe.cif graphene.cif --csv | head -1", (0, 141), r"\Aid,.*\n\Z", r"\A\Z"),
    "broken pipe: search": Case("wfclip search --work-function 4 5 | true", (0, 141), err=r"\A\Z"),
    "broken pipe: data info": Case("wfclip data info small | head -1", (0, 141), r"\A.*small.safetensors: 80 materials.*\n\Z", r"\A\Z"),
    "broken pipe: stderr": Case("{ wfclip predict WSSe.cif none.cif --csv 2>&1 >&3 | true; } 3>&1", (0, 1, 141), ROWS),
    "full: stdout": Case("wfclip predict WSSe.cif > /dev/full", **sentence("output: No space left")),
    "full: stdout of data info": Case("wfclip data info small > /dev/full", **sentence("output: No space left")),
    "full: stderr": Case("wfclip predict WSSe.cif none.cif --csv 2> /dev/full", (1,), ROWS),
    "ASCII: predict": Case("PYTHONIOENCODING=ascii wfclip predict WSSe.cif", out=TABLE),
    "ASCII: predict, locale C": Case("LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 wfclip predict WSSe.cif", out=TABLE),
    "ASCII: predict, Latin-1": Case("PYTHONIOENCODING=latin-1 wfclip predict WSSe.cif --json | wc -l", out="2"),
    "ASCII: search": Case("PYTHONIOENCODING=ascii wfclip search --like WSSe.cif", out="rank"),
    "ASCII: data info": Case("PYTHONIOENCODING=ascii wfclip data info small", out="80 materials"),
    "ASCII: data profile": Case("PYTHONIOENCODING=ascii wfclip data profile qe/avg.dat", out="potential"),
    "ASCII: data inputs": Case("PYTHONIOENCODING=ascii wfclip data inputs WSSe.cif", out="LVHAR"),
    "ASCII: evaluate": Case("PYTHONIOENCODING=ascii wfclip evaluate run", (0, 1), "eV"),
    "ASCII: a mistake": Case("PYTHONIOENCODING=ascii wfclip predict Å.cif", **sentence(r"\?.cif: no such file")),
    "names: predict": Case('wfclip predict "$ODD.cif"', out=TABLE),
    "names: predict --csv": Case('wfclip predict "$ODD.cif" --csv', out=ROWS),
    "names: predict --json": Case('wfclip predict "$ODD.cif" --json | "$PYTHON" -m json.tool', out="(SSeW|WSSe)"),
    "names: predict, ASCII": Case('PYTHONIOENCODING=ascii wfclip predict "$ODD.cif" --csv', out=ROWS),
    "names: predict, broken": Case('wfclip predict "$ODD-none.cif" graphene.cif --csv', **sentence(r"a,\"b\\n\\x1b\[31mr\\udce9d-none.cif: no such file", 1)),
    "names: predict -o csv": Case('wfclip predict "$ODD.cif" -o OUT.csv >&2 && cat OUT.csv', out=ROWS),
    "names: predict -o odd.db": Case('wfclip predict "$ODD.cif" -o "$ODD.db"', out=r"\\udce9d.db: 1 predictions"),
    "names: predict -o extxyz": Case('wfclip predict "$ODD.cif" -o OUT.extxyz && wfclip predict OUT.extxyz', out="(SSeW|WSSe)"),
    "names: predict --plot": Case('wfclip predict "$ODD.cif" --plot "$ODD.pictures"', out=TABLE),
    "names: embed and search": Case('wfclip embed "$ODD.cif" -o OUT.safetensors && wfclip search --index OUT.safetensors --work-function 0 9 --csv',
                                    out='""b\n'),
    "names: embed npz": Case('wfclip embed "$ODD.cif" -o OUT.npz', out="1 crystal"),
    "names: data profile": Case('wfclip data profile "$ODD/avg.dat" "$ODD/none.dat"', (1,), r"\\x1b\[31m", r"\\x1b\[31mr\\udce9d/none.dat: "),
    "names: data profile --csv": Case('wfclip data profile "$ODD/avg.dat" --csv', out=r'\Aid,.*\n"a,""b\n\x1b\[31mr'),
    "names: data build": Case('mkdir -p OUT && cp -r "$ODD" OUT && wfclip data build OUT -o OUT/x && wfclip data info OUT/x', (0, 1), "1 materials"),
    "names: a dataset": Case('cp small.safetensors "$ODD.safetensors" && wfclip data info "$ODD.safetensors"', out=r"\\udce9d.safetensors: 80 materials"),
    "names: a run": Case('cp -r run "$ODD.run" && wfclip predict WSSe.cif --model "$ODD.run"', out="WSSe"),
    "pipes: predict": Case("cat WSSe.cif | wfclip predict /dev/stdin graphene.cif --csv", out=r"(?m)^/dev/stdin,/dev/stdin,(SSeW|WSSe),(.*\n)*graphene"),
    "pipes: process substitution": Case("wfclip predict <(cat WSSe.cif)", out="(SSeW|WSSe)"),
    "pipes: predict, named": Case("mkfifo OUT.cif && { cat WSSe.cif > OUT.cif & } && wfclip predict OUT.cif", out="(SSeW|WSSe)"),
    "pipes: redirected": Case("wfclip predict /dev/stdin < WSSe.cif", out="(SSeW|WSSe)"),
    "pipes: embed": Case("cat WSSe.cif | wfclip embed /dev/stdin -o OUT.safetensors", **sentence("")),
    "pipes: data profile": Case("cat qe/avg.dat | wfclip data profile /dev/stdin", **sentence("/dev/stdin: ")),
    "pipes: check": Case("mkfifo OUT.safetensors && wfclip check OUT.safetensors", **sentence("OUT.safetensors: ")),
    "pipes: data info": Case("mkfifo OUT.safetensors && wfclip data info OUT.safetensors", **sentence("OUT.safetensors: ")),
    "pipes: search": Case("mkfifo OUT.safetensors && wfclip search --index OUT.safetensors --work-function 4 5", **sentence("OUT.safetensors: ")),
    "devices: null": Case("wfclip predict /dev/null graphene.cif --csv", **sentence("/dev/null: ", 1)),
    "devices: zero": Case("wfclip predict /dev/zero graphene.cif --csv", **sentence("/dev/zero: ", 1)),
    "devices: a model": Case("wfclip predict WSSe.cif --model /dev/null", **sentence("/dev/null: ")),
    "devices: an index": Case("wfclip search --index /dev/null --work-function 4 5", **sentence("/dev/null: ")),
    "devices: a dataset": Case("wfclip train --data /dev/null --out OUT", **sentence("/dev/null: ")),
    "devices: a folder to write to": Case("wfclip train --data small --epochs 1 --start random --out /dev/null", **sentence("/dev/null")),
    "devices: an output": Case("mkfifo OUT.csv && wfclip predict WSSe.cif -o OUT.csv", **sentence("OUT.csv: ")),
    **{f"empty folder: {line}": Case(f"mkdir OUT && wfclip {line}", **sentence("OUT: ")) for line in (
        "predict OUT", "embed OUT -o OUT.safetensors", "data build OUT -o OUT2", "data info OUT", "data profile OUT", "data inputs OUT", "evaluate OUT",
        "search --like OUT", "search --work-function 4 5 --index OUT", "predict WSSe.cif --model OUT", "train --out OUT2 --data OUT")},
    **{f"{kind} folder: {line}": Case(f"wfclip {line}".replace("TO", folder), **sentence(rf"{folder}/(x|run)[\w./]*: {says}"))
       for kind, folder, says in (("full", "full", "(No space left|not written .*full)"), ("read-only", "kept", "(Read-only|not written)"))
       for line in (
           "predict WSSe.cif graphene.cif -o TO/x.csv", "predict WSSe.cif graphene.cif -o TO/x.db", "embed WSSe.cif -o TO/x.safetensors",
           "embed WSSe.cif -o TO/x.npz", "data build qe -o TO/x", "data export small -o TO/x", "predict WSSe.cif --plot TO/x",
           "train --data small --epochs 1 --start random --out TO/x", "evaluate TO/run")},
    "shell: no terminal, no home": Case("env -u HOME -u TERM wfclip predict WSSe.cif", out=TABLE),
    "shell: no temporary folder": Case("TMPDIR=/none wfclip search --work-function 4 5", out="rank"),
    "shell: a narrow terminal": Case("COLUMNS=1 wfclip --help && COLUMNS=x wfclip predict --help", out="usage"),
    "shell: a folder that is gone": Case('mkdir OUT && cd OUT && rmdir ../OUT && wfclip predict "$HERE/WSSe.cif"',
                                         **sentence("the folder that the shell is in is gone")),
    "shell: warnings are errors": Case("PYTHONWARNINGS=error wfclip predict WSSe.cif", (0, 2)),
    "shell: without asserts and docstrings": Case("PYTHONOPTIMIZE=2 wfclip predict WSSe.cif", out=TABLE),
    "shell: hash seed": Case("PYTHONHASHSEED=1 wfclip predict WSSe.cif", out=TABLE),
    "shell: threads": Case("OMP_NUM_THREADS=many wfclip predict WSSe.cif", out=TABLE),
    "shell: a rank that is none": Case("RANK=first WORLD_SIZE=2 wfclip predict WSSe.cif -o OUT.csv", **sentence("RANK is first")),
    "shell: a rank beyond the world": Case("RANK=5 WORLD_SIZE=2 wfclip embed WSSe.cif -o OUT.safetensors", **sentence("RANK is 5")),
    "shell: few files": Case("ulimit -n 24; wfclip predict WSSe.cif --csv", (0, 2)),
    "shell: short files": Case("ulimit -f 1; wfclip predict WSSe.cif graphene.cif -o OUT.csv", **sentence("OUT.csv: File too large")),
    "shell: an odd backend": Case("MPLBACKEND=none wfclip predict WSSe.cif --plot OUT", (0, 2)),
}
QUICK = ("closed: stdout of data info", "closed: stderr", "broken pipe: predict", "full: stdout of data info", "ASCII: predict, locale C", "names: predict",
         "names: embed and search", "pipes: predict", "empty folder: predict OUT", "full folder: predict WSSe.cif graphene.cif -o TO/x.csv",
         "full folder: train --data small --epochs 1 --start random --out TO/x", "read-only folder: data build qe -o TO/x", "shell: short files")


def tree() -> Path: return Path(os.environ.get("WFCLIP", ROOT))


def prepare(here: Path) -> Path:
    "A folder with structures, calculations, a dataset and a run, made by the tree that is tried"
    for name in ("WSSe.cif", "graphene.cif"): shutil.copy(ROOT / "tests/files" / name, here)
    shutil.copytree(tree() / "wfclip/examples/calculations/qe", here / "qe")
    shutil.copytree(here / "qe", here / ODD)
    shutil.copy(here / "WSSe.cif", here / f"{ODD}.cif")
    env = os.environ | dict(PYTHONPATH=f"{tree()}{os.pathsep}{ROOT / 'tests'}")
    make = "from pathlib import Path; from small import small_run; small_run(Path('.'))"
    subprocess.run([sys.executable, "-W", "ignore", "-c", make], cwd=here, env=env, check=True)
    return here


@contextmanager
def mounted(here: Path):
    "Two more folders: one on a disk with 16 kB to spare, one that is read-only; PermissionError if that cannot be had"
    def mount(folder: Path, *options: str):
        try: subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", folder], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error: raise PermissionError(f"no file system can be mounted here ({error})") from None
    full, kept = here / "full", here / "kept"
    there = []
    try:
        for folder in (full, kept):
            folder.mkdir(exist_ok=True)
            mount(folder, "-o", "size=64m")
            there.append(folder)
            shutil.copytree(here / "run", folder / "run", ignore=shutil.ignore_patterns("last"))
        with open(full / "fill", "wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)) == 4096: pass
            except OSError: pass
        os.truncate(full / "fill", (full / "fill").stat().st_size - 4 * 4096)
        mount(kept, "-o", "remount,ro")
        yield
    finally:
        for folder in there: subprocess.run(["umount", folder], check=True)


def try_one(name: str, here: Path) -> str:
    "What is wrong with the answer of a command, if anything"
    case = CASES[name]
    before = set(here.iterdir())
    functions = 'set -o pipefail\nwfclip() { "$PYTHON" -m wfclip "$@"; }\n'
    line = case.line.replace("env -u HOME -u TERM wfclip", 'env -u HOME -u TERM "$PYTHON" -m wfclip')
    env = {k: v for k, v in os.environ.items() if k not in ("IN_TEST", "PYTHONIOENCODING")} | dict(
        PYTHONPATH=str(tree()), PYTHON=sys.executable, ODD=ODD, HERE=str(here), OMP_NUM_THREADS="1", MPLBACKEND="agg")
    done = subprocess.run(["bash", "-c", functions + line], cwd=here, env=env, capture_output=True, timeout=120)
    out, err = (os.fsdecode(s) for s in (done.stdout, done.stderr))
    for path in set(here.iterdir()) - before: shutil.rmtree(path) if path.is_dir() else path.unlink()
    said = f"\n$ {line}\n{out[-1500:]}{err[-1500:]}"
    if found := re.search("Traceback|Exception ignored|Fatal", err + out): return f"{name}: {found[0]}{said}"
    if done.returncode not in case.codes: return f"{name}: exit code {done.returncode}, not {case.codes}{said}"
    if not re.search(case.out, out): return f"{name}: stdout is not {case.out}{said}"
    return "" if re.search(case.err, err) else f"{name}: stderr is not {case.err}{said}"


def try_all(*words: str) -> Iterator[dict]:
    "How many of the cases whose name holds one of the words were tried and failed, by kind; what is wrong goes to stderr"
    names = [name for name in CASES if not words or any(word in name for word in words)]
    with tempfile.TemporaryDirectory() as folder:
        here = prepare(Path(folder))
        for kind, group in groupby(names, lambda name: name.partition(":")[0]):
            found = Counter(tried=0, failed=0)
            for name in group:
                try:
                    with mounted(here) if kind in ("full folder", "read-only folder") else nullcontext(): wrong = try_one(name, here)
                except PermissionError: continue
                if wrong: print(wrong.encode("ascii", "backslashreplace").decode(), file=sys.stderr, flush=True)
                found.update(tried=1, failed=bool(wrong))
            yield dict(kind=kind, **found)


def main(*words: str) -> None:
    for row in try_all(*words): print(json.dumps(row), flush=True)


if __name__ == "__main__": main(*sys.argv[1:])
