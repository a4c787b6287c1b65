"""Time and memory of reading a potential on a grid, against pymatgen and ASE; nbs/data/01b_grid.ipynb shows what this writes.

    python benchmarks/read_grid.py                   # LOCPOT, LOCPOT.gz and cube of 100 MB
    python benchmarks/read_grid.py --size 100 1500   # and a LOCPOT of 1.5 GB, for which pymatgen takes 1.5 GB of memory
    python benchmarks/read_grid.py --json FILE       # keep the figures


The files are made, in a temporary folder, from the Janus layer in examples/: its planes are repeated in the plane until the
file is as large as wished, so that the planar average stays what it is. Each reading is a process of its own, which first reads
a small file once (imports, caches), then the large one: its time, and by how much the peak of memory grew. Readers take turns;
the first turn is not counted, and files are in the system's cache. The ratio is our time over that of another reader, the median
over turns, once of the time on the clock and once of that of the processor, which other work on the machine disturbs less. All
readers of a file must find the same planes to 1e-9 eV.
"""
import argparse
import gzip
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
READERS = {"LOCPOT": ("wfclip", "pymatgen", "ase"), "LOCPOT.gz": ("wfclip", "pymatgen"),
           "potential.cube": ("wfclip", "pymatgen", "ase")}
LARGE, LARGE_READERS = 500, ("wfclip", "pymatgen")  # above so many MB only a LOCPOT, and by these: the others take minutes
BOHR = 0.529177210544  # Å
NA, NB, NC = 30, 30, 160  # grid of the layer


def source() -> tuple[list[bytes], list[bytes]]:
    "Lines of the header up to the grid, and the text of each plane."
    with gzip.open(ROOT / "examples/calculations/vasp/WSSe/LOCPOT.gz") as f: *head, shape, body = f.read().split(b"\n", 13)
    if [int(n) for n in shape.split()] != [NA, NB, NC] or len(body) % NC: sys.exit("the example's LOCPOT is not what it was.")
    size = len(body) // NC
    return head, [body[i:i + size] for i in range(0, len(body), size)]


def locpot(times: int) -> Iterator[bytes]:
    "A LOCPOT with each plane repeated along the second lattice vector."
    head, planes = source()
    yield b"\n".join(head) + b"\n %d %d %d\n" % (NA, NB * times, NC)
    for plane in planes: yield from [plane] * times


def packed(times: int) -> Iterator[bytes]:
    "The same, compressed by gzip without looking across copies, which would pack them far better than real data."
    head, *pieces = locpot(1)
    check, length = 0, 0
    yield b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    for text, n in [(next(locpot(times)), 1)] + [(piece, times) for piece in pieces]:
        squeeze = zlib.compressobj(6, zlib.DEFLATED, -15)
        block = squeeze.compress(text) + squeeze.flush(zlib.Z_FULL_FLUSH)
        for _ in range(n):
            check, length = zlib.crc32(text, check), length + len(text)
            yield block
    yield b"\x03\0" + check.to_bytes(4, "little") + (length % 2**32).to_bytes(4, "little")


def cube(times: int) -> Iterator[bytes]:
    "A cube in eV, repeated along the first lattice vector; six numbers a line, each height column on new lines."
    head, planes = source()
    cell = [[float(x) / BOHR for x in row.split()] for row in head[2:5]]
    numbers = [[float(x) for x in plane.split()] for plane in planes]
    yield b"potential in eV\nouter x, middle y, inner z\n    3    0.000000    0.000000    0.000000\n"
    for n, row in zip((NA * times, NB, NC), cell):
        yield f"{n:5d}{row[0] / n:12.6f}{row[1] / n:12.6f}{row[2] / n:12.6f}\n".encode()
    for z, where in zip((16, 34, 74), head[8:11]):
        f = [float(x) for x in where.split()]
        xyz = [sum(f[i] * cell[i][j] for i in range(3)) for j in range(3)]
        yield (f"{z:5d}    0.000000" + "".join(f"{x:12.6f}" for x in xyz) + "\n").encode()
    columns = [[f"{plane[b * NA + a]:13.5E}" for plane in numbers] for a in range(NA) for b in range(NB)]
    text = "".join("".join(c[i:i + 6]) + "\n" for c in columns for i in range(0, NC, 6)).encode()
    for _ in range(times): yield text


WRITERS = {"LOCPOT": locpot, "LOCPOT.gz": packed, "potential.cube": cube}


def write(job: str, folder: Path, megabytes: float) -> float:
    "Write a file whose text has about this size; its exact size as text, in MB."
    times = max(1, round(megabytes * 1e6 / sum(map(len, WRITERS[job.removesuffix(".gz")](1)))))
    with open(folder / job, "wb") as f:
        for piece in WRITERS[job](times): f.write(piece)
    return sum(map(len, WRITERS[job.removesuffix(".gz")](times))) / 1e6


def read(reader: str, path: str):
    "The planar average of a file along c, eV, by one of the readers."
    if reader == "wfclip":
        from wfclip.data.readers import read_potential
        return read_potential(path, units="eV").v
    if reader == "pymatgen":
        from pymatgen.io.vasp.outputs import Locpot, VolumetricData
        return (VolumetricData.from_cube(path) if path.endswith("cube") else Locpot.from_file(path)).get_average_along_axis(2)
    if path.endswith("cube"):
        from ase.io.cube import read_cube_data
        return read_cube_data(path)[0].mean((0, 1))  # type: ignore
    from ase.calculators.vasp import VaspChargeDensity
    density = VaspChargeDensity(path)
    return density.chg[0].mean((0, 1)) * density.atoms[0].get_volume()


def one(reader: str, small: str, path: str):
    "What a process of its own does: read both files, print seconds, seconds of CPU, growth of the peak of memory in MB, planes."
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    read(reader, small)
    before, start, cpu = peak(), time.perf_counter(), time.process_time()
    planes = read(reader, path)
    print(json.dumps([time.perf_counter() - start, time.process_time() - cpu, peak() - before, planes.tolist()]))


def measure(job: str, megabytes: float, repeats: int, threads: int) -> list[dict]:
    "A record for each reader of a file."
    env = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONWARNINGS": "ignore",
                        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    runs = {reader: [] for reader in (READERS[job] if megabytes <= LARGE else LARGE_READERS)}
    with tempfile.TemporaryDirectory() as tmp:
        small, large = Path(tmp) / "small", Path(tmp) / "large"
        for folder in (small, large): folder.mkdir()
        write(job, small, 0)
        size = write(job, large, megabytes)
        for _ in range(repeats + 1):
            for reader, found in runs.items():
                command = [sys.executable, __file__, "--one", reader, str(small / job), str(large / job)]
                done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
                found.append(json.loads(done.stdout))
    records, ours = [], runs["wfclip"]
    for reader, found in runs.items():
        far = max(abs(a - b) for run in found for a, b in zip(run[3], ours[0][3], strict=True))
        if far > 1e-9: sys.exit(f"{job}: {reader} finds planes that differ from ours by {far:g} eV.")
        seconds, cpu, memory, _ = zip(*found[1:])
        ratio, cpu_ratio = (statistics.median(a[k] / b[k] for a, b in zip(ours[1:], found[1:])) for k in (0, 1))
        figures = {"seconds": statistics.median(seconds), "fastest": min(seconds), "slowest": max(seconds), "ratio": ratio,
                   "cpu": statistics.median(cpu), "cpu_ratio": cpu_ratio, "memory_MB": max(memory)}
        records.append({"file": job, "MB": round(size), "reader": reader} | {k: round(x, 3) for k, x in figures.items()})
    return records


def table(records: list[dict]) -> str:
    "Records as a Markdown table."
    names = ["file", "MB of text", "reader", "s, median (range)", "s of CPU", "ours / this", "of CPU", "memory, MB"]
    rows = ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
    for r in records:
        seconds = f"{r['seconds']:.2f} ({r['fastest']:.2f} to {r['slowest']:.2f}) | {r['cpu']:.2f}"
        rows.append(f"| {r['file']} | {r['MB']} | {r['reader']} | {seconds} | {r['ratio']:.2f} | {r['cpu_ratio']:.2f} "
                    f"| {r['memory_MB']:.0f} |")
    return "\n".join(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", type=float, default=[100], metavar="MB",
                        help=f"of the text; default 100; above {LARGE} only LOCPOT, by {' and '.join(LARGE_READERS)}")
    parser.add_argument("--files", nargs="+", choices=READERS, default=list(READERS))
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="readings that count, by each reader; default 5")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="OMP_NUM_THREADS; default 1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one: return one(*args.one)
    jobs = [(name, size) for size in args.size for name in args.files if size <= LARGE or name == "LOCPOT"]
    about = {"python": platform.python_version(), "threads": args.threads, "cores": os.cpu_count(), "runs": args.repeats}
    about |= {name: version(name) for name in ("numpy", "pymatgen", "ase")}
    records = []
    for name, size in jobs:
        records += measure(name, size, args.repeats, args.threads)
        if args.json: args.json.write_text(json.dumps({"about": about, "records": records}, indent=1) + "\n", encoding="utf-8")
    print(table(records) + "\n\n" + ", ".join(f"{k} {v}" for k, v in about.items()))


if __name__ == "__main__":
    main()
