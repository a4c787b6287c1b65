"""How building and training scale with the number of materials: python benchmarks/build_dataset.py [-n 1000 10000] [--json FILE]

For each size, real layers with their real profiles (the bundled dft2d set) are replicated, each copy with its atoms moved by
up to 0.05 Å at random, and written to an ASE database in the published layout. Then, each in a fresh process:

    build     wfclip data build DATABASE: wall time and the largest memory of the process and of a worker
    open      load_dataset and the first batch of 64: time and memory
    train     20 training steps from the file: time of a step, memory, without worker processes

Memory is the maximum resident set (pages of mapped files count as long as they stay in memory, though the system may take
them back at any time) and, beside it, what is not mapped from a file (anonymous), which nobody can take back.
"""
import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SELF = Path(__file__).resolve()


def make_database(path: Path, n: int):
    "An ASE database of n jittered copies of bundled layers"
    from ase.db import connect

    from wfclip.data.dataset import load_dataset
    data, rng = load_dataset(), np.random.default_rng(0)
    with connect(path, append=False) as db:
        for k in range(n):
            i = k % len(data)
            layer, p = data.layer(i), data.profile(i)
            atoms = layer.to_atoms()
            height = len(p.z) * (p.z[1] - p.z[0])
            atoms.set_cell(np.diag([1, 1, 0]) @ layer.cell + np.diag([0, 0, height]))
            atoms.positions += rng.uniform(-0.05, 0.05, (len(atoms), 3)) - [0, 0, p.z[0]]
            table = np.column_stack([np.arange(len(p.phi)) / len(p.phi), p.phi])
            db.write(atoms, data={"work_func": table}, efermi_eV=0.0, gap_eV=float(data.properties["gap"][i]), name=f"copy-{k}")


def memory() -> dict[str, float]:
    "Largest resident set and anonymous memory of this process so far, and the largest of a child, MB"
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
    own = {name: int(status[key].split()[0]) / 1e3 for name, key in (("peak_MB", "VmHWM"), ("anonymous_MB", "RssAnon"))}
    return dict(own, worker_MB=child)


def build(folder: Path) -> dict:
    from wfclip.data.build import build_dataset
    start = time.perf_counter()
    report = build_dataset(folder / "copies.db", folder / "copies")
    return dict(seconds=time.perf_counter() - start, materials=report["accepted"], **memory())


def open_first(folder: Path) -> dict:
    from wfclip.data.dataset import load_dataset
    start = time.perf_counter()
    data = load_dataset(folder / "copies")
    data.graphs().gather(range(0, len(data), len(data) // 64))
    return dict(seconds=time.perf_counter() - start, **memory())


def train(folder: Path) -> dict:
    import torch

    from wfclip.config import TrainConfig, WFClipConfig
    from wfclip.data.dataset import load_dataset
    from wfclip.train import Trainer, train_step
    data = load_dataset(folder / "copies")
    start = time.perf_counter()
    trainer = Trainer(WFClipConfig(), TrainConfig(), data, data.split(), torch.device("cpu"))
    setup, rng = time.perf_counter() - start, np.random.default_rng(0)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        train_step(trainer, rng.choice(trainer.split.train, 64), torch.zeros(64, dtype=torch.bool), 1e-4)
        times.append(time.perf_counter() - start)
    return dict(setup_s=setup, step_s=float(np.median(times[5:])), **memory())


JOBS = dict(build=build, open=open_first, train=train)


def measure(job: str, folder: Path) -> dict:
    "Run a job in a fresh process"
    done = subprocess.run([sys.executable, SELF, "--job", job, folder], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, nargs="+", default=[1000, 10000], metavar="N", help="numbers of materials")
    parser.add_argument("--json", metavar="FILE", help="write the results")
    parser.add_argument("--folder", help="for the files; a temporary one by default")
    parser.add_argument("--job", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.job: return print(json.dumps(JOBS[args.job[0]](Path(args.job[1]))))
    rows = []
    print(f"{'materials':>9} {'build':>8} {'per s':>6} {'memory':>7} {'worker':>7} {'file':>8} | {'open':>6} {'memory':>7} "
          f"| {'setup':>7} {'step':>6} {'memory':>7} {'anonymous':>9}\n"
          f"{'':>9} {'s':>8} {'':>6} {'MB':>7} {'MB':>7} {'MB':>8} | {'s':>6} {'MB':>7} | {'s':>7} {'s':>6} {'MB':>7} {'MB':>9}")
    for n in args.n:
        with tempfile.TemporaryDirectory(dir=args.folder) as tmp:
            folder = Path(tmp)
            make_database(folder / "copies.db", n)
            r = {job: measure(job, folder) for job in JOBS}
            size = os.path.getsize(folder / "copies.safetensors") / 1e6
        b, o, t = r["build"], r["open"], r["train"]
        print(f"{n:9} {b['seconds']:8.1f} {n / b['seconds']:6.0f} {b['peak_MB']:7.0f} {b['worker_MB']:7.0f} {size:8.0f} | "
              f"{o['seconds']:6.2f} {o['peak_MB']:7.0f} | {t['setup_s']:7.1f} {t['step_s']:6.2f} {t['peak_MB']:7.0f} "
              f"{t['anonymous_MB']:9.0f}", flush=True)
        rows.append(dict(n=n, file_MB=size, **r))
    about = dict(cores=os.cpu_count(), threads=os.environ.get("OMP_NUM_THREADS"), python=platform.python_version())
    if args.json: Path(args.json).write_text(json.dumps(dict(about=about, rows=rows), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
