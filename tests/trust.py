"""Whatever was tried to break the package, on any tree of its source: one table.

    python tests/trust.py --out nbs/results/trust.json                              # this tree
    python tests/trust.py --out nbs/results/trust.json --tree OTHER --name before   # another one, such as a git worktree

Adds to the file, under the name, for each kind how much was tried and how much failed. The kinds have engines of their own, which tell
more: stored.py, damage.py, surroundings.py, kills.py. What is answered with anything but work or a sentence fails, and so does what
takes more than a minute or 8 GB.
"""
import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from project import ROOT


LIBRARIES = ("torch", "ase.db", "ase.io.extxyz", "ase.io.vasp", "h5py", "pymatgen.io.cif", "spglib", "vesin", "wfclip.data.check", "wfclip.data.structure")


def forked(work: Callable[[], object], seconds: int = 60, memory: int = 8 * 10**9) -> str:
    "What is wrong with work that is done in a process of its own, under limits; nothing if it comes to its end"
    seen, told = os.pipe()
    child = os.fork()
    if not child:
        os.close(seen)
        try:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
            signal.alarm(seconds)
            work()
        except BaseException:
            os.write(told, traceback.format_exc()[-3000:].encode())
            os._exit(1)
        os._exit(0)
    os.close(told)
    with open(seen, "rb") as pipe: said = pipe.read().decode(errors="replace")
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return said or (f"ended by {signal.Signals(-status).name}" if status < 0 else "" if not status else f"exit status {status}")


def count(cases: Iterator[tuple[str, Callable[[], object]]], after: Callable[[], object] = lambda: None) -> Counter:
    "How many cases there are, and how many fail"
    found = Counter(tried=0, failed=0)
    for name, work in cases:
        wrong = forked(work)
        after()
        if wrong: print(f"{name}: {wrong.strip().splitlines()[-1]}", file=sys.stderr, flush=True)
        found.update(tried=1, failed=bool(wrong))
    return found


def stored(n: int) -> Iterator[dict]:
    "Damage to what the package has written"
    from stored import KINDS, prepare, try_one
    if not (Path(os.environ["WFCLIP"]) / "wfclip/check.py").exists():
        for kind, (place, lines) in KINDS.items(): KINDS[kind] = place, [line for line in lines if not line.startswith("check")]
    with tempfile.TemporaryDirectory() as folder:
        work = prepare(Path(folder))
        keep = {p: p.read_bytes() for p in work.rglob("*") if p.is_file()}

        def mend():
            for path in [p for p in work.rglob("*") if p.is_file() and p not in keep]: path.unlink()
            for path, content in keep.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                if not path.exists() or path.read_bytes() != content: path.write_bytes(content)
        for kind in KINDS:
            yield dict(kind=kind, **count(((f"stored.py 1 {k} {kind}", lambda k=k, kind=kind: try_one(kind, k, work)) for k in range(n // len(KINDS))), mend))


def damage(n: int) -> Iterator[dict]:
    "Damage to structures and potentials of other programs"
    from damage import STRUCTURES, answer, formats, write_case
    for name in LIBRARIES: import_module(name)  # once, and not in each process
    known = formats()
    others = [sample.content for sample in known.values()]

    def read(kind: str, sample: SimpleNamespace, k: int):
        with tempfile.TemporaryDirectory() as folder:
            answer(kind, write_case(Path(folder), sample, others, np.random.default_rng([k, *kind.encode()])), sample.units)
    found = dict(structures=Counter(), potentials=Counter())
    for kind, sample in known.items():
        cases = ((f"damage.py 1 {k} {kind}", lambda k=k, kind=kind, sample=sample: read(kind, sample, k)) for k in range(n // len(known)))
        found["structures" if kind in STRUCTURES else "potentials"].update(count(cases))
    yield from (dict(kind=kind, **counts) for kind, counts in found.items())


def surroundings(_: int) -> Iterator[dict]:
    "Odd shells, names, pipes and disks"
    from surroundings import try_all
    return try_all()


def kills(n: int) -> Iterator[dict]:
    "Work that is killed, and done again"
    from kills import KINDS, try_all
    return try_all(n // len(KINDS))


def invariance(n: int) -> Iterator[dict]:
    "One layer in many disguises; fails whatever moves an energy by more than 0.1 meV"
    from wfclip.data.dataset import load_dataset
    from wfclip.data.structure import read_layer
    from wfclip.predict import Predictor
    source = (ROOT / "wfclip/check.py").read_text(encoding="utf-8")
    own: dict = dict(np=np, read_layer=read_layer)
    exec("from __future__ import annotations\nfrom typing import Any\n" + source[source.index("_CELLS ="):], own)  # of a tree that may lack it
    data = load_dataset()
    layers = [data.layer(i * len(data) // n) for i in range(n)]
    worst = own["invariance"](Predictor.from_pretrained(device="cpu"), layers)
    yield dict(kind="disguises", tried=n * len(worst), failed=sum(value > .1 for value in worst.values()) * n, worst=round(max(worst.values()), 4))


KINDS = dict(stored=stored, damage=damage, surroundings=surroundings, kills=kills, invariance=invariance)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tree", type=Path, default=ROOT)
    parser.add_argument("--name", default="now")
    parser.add_argument("--only", choices=KINDS, nargs="+", default=list(KINDS))
    for name, n in dict(stored=10_000, damage=2_000, kills=50, invariance=100).items(): parser.add_argument(f"--{name}", type=int, default=n)
    args = parser.parse_args()
    if os.environ.get("WFCLIP") != str(args.tree.resolve()):  # once more, with the package of that tree
        path = os.pathsep.join(map(str, (args.tree.resolve(), ROOT / "tests")))
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | dict(WFCLIP=str(args.tree.resolve()), PYTHONPATH=path, OMP_NUM_THREADS="1"))
    warnings.simplefilter("ignore")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=args.tree, capture_output=True, text=True).stdout.strip()
    for kind in args.only:
        start = time.perf_counter()
        rows: list[dict] = []
        for row in KINDS[kind](getattr(args, kind, 0)):
            rows.append(row)
            content = json.loads(args.out.read_text(encoding="utf-8")) if args.out.exists() else {}
            content.setdefault(args.name, {})[kind] = dict(commit=commit, seconds=round(time.perf_counter() - start), rows=rows)
            args.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(kind, json.dumps(rows), flush=True)


if __name__ == "__main__": main()
