"""Damage to what wfclip itself has written, and what its commands may answer. As a script: damaged files, one by one.

    python tests/stored.py CASES FIRST [KIND...]

prints a line of JSON for each kind: how many commands did their work all the same, how many refused in one sentence,
and the slowest. The first that does anything else ends it, with its number, which brings it back: `stored.py 1 NUMBER KIND`.
"""
import contextlib
import io
import json
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from small import small_run

ODD = [None, True, -1, 0, 10**9, 1e300, float("nan"), "", "x", "../..", [], [[]], {}, ["a"], [1, 2], {"a": {}}]


def odd(rng: np.random.Generator, value):
    "Something else in the place of a value"
    if rng.random() < .05: return json.loads("[" * 400 + "]" * 400)
    if isinstance(value, list) and value and rng.random() < .5: return value[:-1] if rng.random() < .5 else [*value, value[0]]
    if isinstance(value, int | float) and rng.random() < .3: return value * int(rng.choice([-1, 2, 1000])) + .5
    return ODD[rng.integers(len(ODD))]


def changed(content, rng: np.random.Generator):
    "JSON with one of its parts, at any depth, replaced, left out or added"
    if not isinstance(content, dict | list) or not content or rng.random() < .15: return odd(rng, content)
    copy = content.copy()
    key = rng.choice(list(copy)) if isinstance(copy, dict) else int(rng.integers(len(copy)))
    if isinstance(copy, dict) and rng.random() < .2: del copy[key]
    elif isinstance(copy, dict) and rng.random() < .1: copy["other"] = odd(rng, 0)
    else: copy[key] = changed(copy[key], rng) if rng.random() < .7 else odd(rng, copy[key])
    return copy


def changed_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    "A file with bits flipped, bytes replaced, or its end lost"
    i = int(rng.integers(len(content) if rng.random() < .5 else min(len(content), 3000)))
    match rng.integers(4):
        case 0: return content[:i]
        case 1: return content[:i] + bytes([content[i] ^ 1 << rng.integers(8)]) + content[i + 1:]
        case 2: return content[:i] + rng.bytes(int(rng.integers(1, 40))) + content[i + int(rng.integers(1, 40)):]
        case _: return rng.bytes(i % 200)


def about(content: bytes) -> dict:
    "What the header of arrays says of them"
    return json.loads(json.loads(content[8:8 + int.from_bytes(content[:8], "little")])["__metadata__"]["wfclip"])


def changed_header(content: bytes, rng: np.random.Generator) -> bytes:
    "Arrays whose header says something else"
    n = int.from_bytes(content[:8], "little")
    header = json.loads(content[8:8 + n])
    if rng.random() < .5: header["__metadata__"]["wfclip"] = json.dumps(changed(json.loads(header["__metadata__"]["wfclip"]), rng))
    else: header = changed(header, rng)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + n:]


def changed_arrays(path: Path, rng: np.random.Generator) -> bytes:
    "A file that is whole, with other arrays than it should have"
    import torch
    from safetensors.torch import load_file

    from wfclip.files import write_tensors
    arrays = load_file(path)
    name = str(rng.choice(list(arrays)))
    a = arrays[name].clone()
    match rng.integers(6):
        case 0: del arrays[name]
        case 1: arrays[name] = a[:-1] if a.dim() else a[None]
        case 2: arrays[name] = a.to([torch.float32, torch.float64, torch.int64, torch.bool][rng.integers(4)])
        case 3: arrays[name] = a.reshape(-1)
        case 4 if a.is_floating_point() and a.numel():
            a.view(-1)[int(rng.integers(a.numel()))] = float(rng.choice([np.nan, np.inf, 1e30]))
            arrays[name] = a
        case _ if a.numel() and a.dtype != torch.bool: arrays[name] = -a.long() if a.dtype == torch.uint8 else a * -3
    other = path.with_name("changed")
    write_tensors(other, arrays, **{k: v for k, v in about(path.read_bytes()).items() if k != "digests"})
    return other.read_bytes()


def damage(path: Path, rng: np.random.Generator) -> bytes:
    "A file's content after one of these"
    content = path.read_bytes()
    if rng.random() < .3: return changed_bytes(content, rng)
    if path.suffix == ".json": return json.dumps(changed(json.loads(content), rng)).encode()
    if path.suffix == ".jsonl":
        return b"".join((json.dumps(changed(json.loads(line), rng)) + "\n").encode() for line in content.splitlines())
    return changed_header(content, rng) if rng.random() < .5 else changed_arrays(path, rng)


PREDICT = "predict {files}/WSSe.cif {files}/graphene.cif --model {run}"
KINDS = {  # what is damaged: the file, and the commands that read it
    "model": ("run/model.safetensors", [PREDICT, "check {run}"]),
    "config": ("run/config.json", [PREDICT, "evaluate {run}", "train --resume --out {run}"]),
    "bank": ("run/bank.safetensors", [PREDICT, "check {run}"]),
    "split": ("run/split.json", ["evaluate {run}", "train --resume --out {run}"]),
    "metrics": ("run/metrics.jsonl", ["train --resume --out {run}"]),
    "checkpoint": ("run/last/state.safetensors", ["train --resume --out {run}"]),
    "index": ("index.safetensors", ["search --like {files}/WSSe.cif --model {run} --index {work}/index.safetensors", "search --work-function 4 5 --model {run} --index {work}/index.safetensors",
                                    "check {work}/index.safetensors"]),
    "dataset": ("small.safetensors", ["data check {work}/small", "data info {work}/small", "predict {work}/small.safetensors --model {run}",
                                      "train --data {work}/small --epochs 1 --start random --out {work}/new"]),
}


def prepare(work: Path) -> Path:
    "A run with its dataset, and an index made by it"
    from project import ROOT

    from wfclip.cli import main
    run = small_run(work)
    shutil.copytree(ROOT / "tests/files", work / "files", ignore=shutil.ignore_patterns("model-1", "structures", "calculations"))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert main(["embed", str(work / "small.safetensors"), "--model", str(run), "-o", str(work / "index.safetensors")]) == 0
    return work


def answer(line: str, work: Path) -> tuple[int, str]:
    "Exit code of a command, and what is wrong with its answer, if anything"
    from wfclip.cli import main
    err = io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
            code = main(line.format(run=work / "run", files=work / "files", work=work).split())
    except BaseException: return -1, traceback.format_exc()
    said = [s for s in err.getvalue().splitlines() if s.startswith("wfclip: ")]
    if code not in (0, 1, 2): return code, f"exit code {code}"
    return code, "" if code != 2 or said else f"exit code 2 without a sentence: {err.getvalue()}"


def try_one(kind: str, number: int, work: Path) -> Counter:
    "One damaged file, and what the commands made of it; AssertionError if that is anything but work or a sentence"
    place, commands = KINDS[kind]
    rng = np.random.default_rng([number, *map(ord, kind)])
    path = work / place
    keep = {p: p.read_bytes() for p in [*work.rglob("*")] if p.is_file()}
    path.write_bytes(damage(path, rng))
    line = commands[rng.integers(len(commands))]
    try:
        code, wrong = answer(line, work)
        assert not wrong, f"{kind} {number}: {line}\n{wrong}"
    finally:
        for p in [*work.rglob("*")]:
            if p.is_file() and p not in keep: p.unlink()
        shutil.rmtree(work / "new", ignore_errors=True)
        for p, content in keep.items():
            if not p.exists() or p.read_bytes() != content: p.write_bytes(content)
    return Counter(refused=code == 2, worked=code in (0, 1))


def main(cases: str, first: str, *kinds: str) -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        work = prepare(Path(folder))
        for kind in kinds or KINDS:
            found, slowest = Counter(), 0.
            for number in range(int(first), int(first) + int(cases)):
                start = time.perf_counter()
                found += try_one(kind, number, work)
                slowest = max(slowest, time.perf_counter() - start)
            print(json.dumps(dict(kind=kind, **found, slowest=round(slowest, 1))), flush=True)


if __name__ == "__main__": main(*sys.argv[1:])
