"""Time of a training epoch in one process and in several; nbs/tutorials/06_many_processes.ipynb shows what this writes.

    python benchmarks/processes.py                     # one process with one and with two threads, two processes with one each
    python benchmarks/processes.py --json FILE         # keep the figures
    python benchmarks/processes.py --ways 1x1 8x1      # others: processes x threads of each

Each run is the command of a user, `wfclip train` on the bundled data with the default preset, alone or under torchrun, in a
folder that is thrown away. Its time is what it wrote down for its epochs, with validation, but without the first. Its processor
time is that of all processes, of a run less that of a run of one epoch, for each epoch: other work on the machine, whose
load is kept with the figures, disturbs it less. Runs take turns.
"""
import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(processes: int, threads: int, epochs: int, fraction: float) -> tuple[list[dict], int, float]:
    "Train; the metrics, the number of training materials, and the processor time in s"
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    env = os.environ | dict(OMP_NUM_THREADS=str(threads), PYTHONPATH=str(ROOT))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, *torchrun, "-m", "wfclip", "train", "--epochs", str(epochs), "--fraction", str(fraction),
                   "--out", f"{folder}/run"]
        subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
        records = [json.loads(line) for line in Path(folder, "run/metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        materials = len(json.loads(Path(folder, "run/split.json").read_text(encoding="utf-8"))["train"])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return records, materials, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def turn(processes: int, threads: int, epochs: int, fraction: float) -> dict:
    "A run, and one of one epoch"
    short, (records, materials, cpu) = run(processes, threads, 1, fraction), run(processes, threads, epochs, fraction)
    return dict(seconds=[r["seconds"] for r in records[1:]], materials=materials, loss=records[-1]["train_loss"],
                cpu=(cpu - short[2]) / (epochs - 1), load=os.getloadavg()[0])


def summary(processes: int, threads: int, turns: list[dict]) -> dict:
    "Median and spread over turns"
    seconds, cpu = [s for t in turns for s in t["seconds"]], [t["cpu"] for t in turns]
    return dict(processes=processes, threads=threads, materials=turns[0]["materials"], loss=round(turns[0]["loss"], 4),
                seconds=round(statistics.median(seconds), 3), fastest=min(seconds), slowest=max(seconds),
                cpu=round(statistics.median(cpu), 3), least_cpu=round(min(cpu), 3), most_cpu=round(max(cpu), 3),
                load=round(statistics.mean(t["load"] for t in turns), 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=4, metavar="N", help="of each run, 2 or more")
    parser.add_argument("--fraction", type=float, default=1, metavar="X", help="of the training materials")
    parser.add_argument("--turns", type=int, default=3, metavar="N")
    parser.add_argument("--ways", nargs="+", default=["1x1", "1x2", "2x1"], metavar="PxT", help="processes and threads of each")
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    found: dict[tuple, list[dict]] = {tuple(map(int, way.split("x"))): [] for way in args.ways}
    for _ in range(args.turns):
        for way, turns in found.items(): turns.append(turn(*way, args.epochs, args.fraction))
    rows = [summary(*way, turns) for way, turns in found.items()]
    for row in rows: print("  ".join(f"{k} {v}" for k, v in row.items()))
    about = dict(python=platform.python_version(), torch=version("torch"), cores=os.cpu_count(), epochs=args.epochs,
                 turns=args.turns, fraction=args.fraction)
    if args.json: Path(args.json).write_text(json.dumps(dict(about=about, records=rows), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__": main()
