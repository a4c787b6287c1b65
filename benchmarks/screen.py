"""How screening scales with the number of structures and processes: python benchmarks/screen.py [-n 1000 10000] [--json FILE]

For each size, bundled layers are replicated, each copy with its atoms moved by up to 0.05 Å at random, and written to a
dataset. Then the commands run on it with the model in the package, for each number of processes, in fresh processes of one
thread each that take shards of 512 structures:

    embed     wfclip embed DATASET -o OUT.safetensors
    predict   wfclip predict DATASET -o OUT.csv

The time is that of the command (reading the model, working, joining) without importing torch; processor time is that of all
processes together, and hardly depends on what else the machine does. Memory is that of the largest
process: the maximum resident set, in which pages of mapped files count as long as they stay in memory though the system may
take them back at any time, and the maximum of what is not mapped from a file (anonymous), which nobody can take back.
"""
import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

SELF = Path(__file__).resolve()
COMMANDS = dict(embed="embed copies.safetensors -o out.safetensors", predict="predict copies.safetensors -o out.csv")


def make_dataset(path: Path, n: int, size: int = 5000):
    "A dataset file of n jittered copies of bundled layers"
    from wfclip.data.dataset import load_dataset
    from wfclip.data.format import Entry, join_datasets, write_dataset
    data, rng, parts = load_dataset(), np.random.default_rng(0), []

    def copy(k: int) -> Entry:
        i = k % len(data)
        layer = data.layer(i)
        moved = replace(layer, positions=layer.positions + rng.uniform(-0.05, 0.05, layer.positions.shape), id=f"copy-{k}")
        return Entry(moved, data.profile(i), properties={name: float(data.properties[name][i]) for name in ("gap", "vbm", "cbm")})

    for first in range(0, n, size):
        parts.append(path.with_name(f"part-{first}.safetensors"))
        write_dataset(parts[-1], map(copy, range(first, min(first + size, n))))
    join_datasets(path, parts, name="copies")
    for part in parts: part.unlink()


def memory() -> dict[str, float]:
    "Largest resident set so far and anonymous memory now, MB"
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    return {name: int(status[key].split()[0]) / 1e3 for name, key in (("peak_MB", "VmHWM"), ("anonymous_MB", "RssAnon"))}


def work(job: str) -> dict:
    "Run a command here and watch its memory"
    import torch  # noqa: F401

    from wfclip.cli import main
    import wfclip.screen  # noqa: F401
    most, done = 0.0, threading.Event()

    def watch():
        nonlocal most
        while not done.wait(0.05): most = max(most, memory()["anonymous_MB"])
    thread = threading.Thread(target=watch)
    thread.start()
    start, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(sys.stderr): code = main([*COMMANDS[job].split(), "--shard-size", "512", "--device", "cpu"])
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    done.set()
    thread.join()
    return dict(memory(), seconds=seconds, cpu_s=cpu, anonymous_MB=most, code=code)


def measure(job: str, folder: Path, processes: int) -> dict:
    "Run a command with some processes at the same time"
    for path in folder.glob(".out*"): path.unlink()
    env = [os.environ | dict(RANK=str(r), WORLD_SIZE=str(processes), OMP_NUM_THREADS="1") for r in range(processes)]
    running = [subprocess.Popen([sys.executable, SELF, "--job", job], cwd=folder, env=e, stdout=subprocess.PIPE, text=True)
               for e in env]
    said = [p.communicate()[0] for p in running]
    if any(p.returncode for p in running): sys.exit(f"a process ended with code {[p.returncode for p in running]}")
    results = [json.loads(text.splitlines()[-1]) for text in said]
    assert not any(r["code"] for r in results)
    largest = {k: max(r[k] for r in results) for k in ("seconds", "peak_MB", "anonymous_MB")}
    return dict(largest, cpu_s=sum(r["cpu_s"] for r in results))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, nargs="+", default=[1000, 10000], metavar="N", help="numbers of structures")
    parser.add_argument("-p", "--processes", type=int, nargs="+", default=[1, 2], metavar="P", help="numbers of processes")
    parser.add_argument("--jobs", nargs="+", choices=COMMANDS, default=list(COMMANDS), help="commands")
    parser.add_argument("--json", metavar="FILE", help="write the results")
    parser.add_argument("--folder", help="for the files; a temporary one by default")
    parser.add_argument("--job", choices=COMMANDS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.job: return print(json.dumps(work(args.job)))
    rows, about = [], dict(cores=os.cpu_count(), python=platform.python_version())
    print("| job | structures | processes | time, s | structures/s | processor time each, ms | largest memory, MB | "
          "anonymous, MB |\n"
          "|---|---:|---:|---:|---:|---:|---:|---:|")
    for n in args.n:
        with tempfile.TemporaryDirectory(dir=args.folder) as tmp:
            make_dataset(Path(tmp) / "copies.safetensors", n)
            for job in args.jobs:
                for processes in args.processes:
                    r = measure(job, Path(tmp), processes)
                    print(f"| {job} | {n} | {processes} | {r['seconds']:.1f} | {n / r['seconds']:.0f} | "
                          f"{1e3 * r['cpu_s'] / n:.2f} | {r['peak_MB']:.0f} | {r['anonymous_MB']:.0f} |", flush=True)
                    rows.append(dict(job=job, n=n, processes=processes, **r))
                    if args.json: Path(args.json).write_text(json.dumps(dict(about=about, rows=rows), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
