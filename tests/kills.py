"""Work that is killed at any moment, and done again. As a script: kills at many points.

    python tests/kills.py POINTS [KIND...]

A process is killed before one of its file operations, or after a random time. What it leaves must hold no torn file, and the same
command, or a resume, must then give the bytes of an undisturbed run. Prints what is wrong with each that fails, and a line of JSON
for each kind: tried, failed. Needs a system that forks.
"""
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from small import CONFIG, small_run

CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "sqlite3.connect")  # and files opened to write


def wfclip(*args: str) -> Callable:
    "A command as a function of nothing, in the working folder"
    def work():
        from wfclip.cli import main
        assert main([*args]) in (0, 1)
    return work


def train() -> None:
    "A training that keeps each epoch, resumed if there is one"
    from wfclip.config import TrainConfig, WFClipConfig
    from wfclip.data.dataset import load_dataset
    from wfclip.train import train
    training = TrainConfig(epochs=3, batch_size=16, lr=1e-3, start="random")
    train(WFClipConfig(**CONFIG), load_dataset("small"), "out", training, device="cpu", resume=Path("out/config.json").exists(),
          checkpoint_seconds=0, progress=False)


KINDS = {  # the work, and the files that come of it
    "train": (train, ("out/model.safetensors", "out/bank.safetensors", "out/last/state.safetensors", "out/split.json")),
    "data build": (wfclip("data", "build", "layers.db", "-o", "out", "--workers", "1"), ("out.safetensors", "out.report.json")),
    "embed": (wfclip("embed", "small.safetensors", "-o", "out.safetensors", "--model", "run", "--shard-size", "16"), ("out.safetensors",)),
    "predict": (wfclip("predict", "small.safetensors", "-o", "out.csv", "--model", "run", "--shard-size", "16"), ("out.csv",)),
}


def prepare(here: Path) -> Path:
    "A folder with a dataset, a run and a database of layers"
    from test_build import write_database
    small_run(here)
    write_database(here / "layers.db", 64)
    return here


def in_child(work: Callable, here: Path, at: float = -1, after: float = -1) -> tuple[int, int]:
    "Do work in a process of its own, killed before file operation `at` or `after` so many seconds: its exit status, file operations"
    seen, told = os.pipe()
    child = os.fork()
    if child: return _watch(child, seen, told, after)
    status = 1
    try:
        os.chdir(here)
        count = 0

        def hook(event: str, args: tuple):
            nonlocal count
            writes = event == "open" and isinstance(args[0], str | bytes) and (args[2] or 0) & (os.O_WRONLY | os.O_RDWR)
            if event not in CHANGES and not writes: return
            if count == at: os.kill(os.getpid(), signal.SIGKILL)
            count += 1
        with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            sys.addaudithook(hook)
            work()
        os.write(told, str(count).encode())
        status = 0
    except BaseException: traceback.print_exc(file=sys.__stderr__)
    os._exit(status)


def _watch(child: int, seen: int, told: int, after: float) -> tuple[int, int]:
    os.close(told)
    if after >= 0:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with open(seen, "rb") as pipe: return status, int(pipe.read() or 0)


def torn(folder: Path) -> list[str]:
    "Files that are not whole, other than those whose name says that they are temporary"
    from safetensors import SafetensorError, safe_open
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
        try:
            if path.suffix == ".safetensors":
                with safe_open(path, "np") as file: [file.get_tensor(name) for name in file.keys()]  # noqa: SIM118
            elif path.suffix == ".json": json.loads(path.read_text(encoding="utf-8"))
            elif path.suffix == ".jsonl": [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
        except (SafetensorError, OSError, ValueError) as error: found.append(f"{path.name}: {error}")
    return found


def clear(here: Path) -> None:
    for path in [*here.glob("out*"), *here.glob(".*")]: shutil.rmtree(path) if path.is_dir() else path.unlink()


def undisturbed(kind: str, here: Path) -> tuple[dict[str, bytes], int, float]:
    "What comes of the work: its files, the number of file operations, seconds"
    work, names = KINDS[kind]
    clear(here)
    start = time.perf_counter()
    status, count = in_child(work, here)
    seconds = time.perf_counter() - start
    assert status == 0 and count > 0, f"{kind}: exit status {status}"
    return {name: (here / name).read_bytes() for name in names}, count, seconds


def try_one(kind: str, here: Path, whole: dict[str, bytes], at: float = -1, after: float = -1) -> str:
    "What is wrong after a kill and a second try, if anything"
    clear(here)
    work, _ = KINDS[kind]
    place = f"{kind}, killed before file operation {at}" if at >= 0 else f"{kind}, killed after {after:.3f} s"
    status, _ = in_child(work, here, at, after)
    if at >= 0 and status != -signal.SIGKILL: return f"{place}: it was not (exit status {status})"
    if left := torn(here): return f"{place}: torn: {left}"
    for name, content in whole.items():
        own = here / name
        if kind in ("embed", "predict") and own.exists() and own.read_bytes() != content: return f"{place}: {name} is there and not complete"
    status, _ = in_child(work, here)
    if status: return f"{place}: the second try ended with exit status {status}"
    changed = [name for name, content in whole.items() if (here / name).read_bytes() != content]
    if changed: return f"{place}: {', '.join(changed)} differ from those of an undisturbed run"
    if left := [str(p.relative_to(here)) for p in here.rglob("*") if "parts" in p.suffix or p.name == ".lock"]: return f"{place}: {left} are left"
    return ""


def points(count: int, seconds: float, n: int) -> list[dict[str, float]]:
    "Of n kills, four of five before file operations spread over all of them, and the others after random times"
    timed = max(1, n // 5)
    return [dict(at=i * count // (n - timed)) for i in range(n - timed)] + [dict(after=random.uniform(0, seconds)) for _ in range(timed)]


def try_all(n: int, *kinds: str) -> Iterator[dict]:
    "How many of n kills of each kind of work failed; what is wrong goes to stderr"
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        here = prepare(Path(folder))
        for kind in kinds or KINDS:
            whole, count, seconds = undisturbed(kind, here)
            found: Counter = Counter(tried=0, failed=0)
            for point in points(count, seconds, n):
                wrong = try_one(kind, here, whole, **point)
                if wrong: print(wrong, file=sys.stderr, flush=True)
                found.update(tried=1, failed=bool(wrong))
            yield dict(kind=kind, operations=count, **found)


def main(n: str, *kinds: str) -> None:
    for row in try_all(int(n), *kinds): print(json.dumps(row), flush=True)


if __name__ == "__main__": main(*sys.argv[1:])
