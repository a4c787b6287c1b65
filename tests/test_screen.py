"""Screening: the same bytes from any number of processes, whatever happened to them, and in flat memory."""
import contextlib
import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from project import ROOT, python
from small import small_run

from wfclip.cli import main
from wfclip.data.dataset import load_dataset
from wfclip.index import Index

PATH = f"{ROOT / 'tests'}{os.pathsep}{ROOT}"
WORK = ("embed many.db single.xyz broken.xyz -o {}.safetensors", "embed small.safetensors -o {}.safetensors",
        "predict many.db single.xyz broken.xyz -o {}.csv", "predict small.safetensors -o {}.jsonl")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    "A small model, its dataset of 80, a database of 300 structures and single files, one of them broken"
    from ase.db import connect
    from ase.io import write
    folder, data = tmp_path_factory.mktemp("screen"), load_dataset()
    small_run(folder)
    with connect(folder / "many.db") as db:
        for i in range(300): db.write(data.layer(i).to_atoms(), name=data.ids[i])
    write(folder / "single.xyz", data.layer(300).to_atoms(), format="extxyz")
    (folder / "broken.xyz").write_text("3\n", encoding="utf-8")
    return folder


def here(line: str, cwd: Path, **env: str) -> tuple[int, str, list[str]]:
    "Exit code, output and lines of errors of a command `wfclip` in this process, which takes seconds less to start"
    out, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said), pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        for name, value in env.items(): patch.setenv(name, value)
        code = main([*line.split(), "--model", "run", "--device", "cpu"])
    assert all(text.startswith("wfclip: ") for text in said.getvalue().splitlines()), said.getvalue()
    return code, out.getvalue(), said.getvalue().splitlines()


def launch(line: str, cwd: Path, **env: str) -> subprocess.Popen:
    "A command `wfclip` in a process group of its own; it heeds Ctrl-C even if the tests run where that is ignored"
    code = ("import signal, sys; from wfclip.cli import main; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "sys.exit(main(sys.argv[1:]))")
    command = [sys.executable, "-c", code, *line.split(), "--model", "run", "--device", "cpu"]
    return subprocess.Popen(command, cwd=cwd, env=os.environ | dict(PYTHONPATH=PATH, OMP_NUM_THREADS="1", **env),
                            start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen) -> tuple[int, str, list[str]]:
    "Exit code, output and lines of errors of a process that ends by itself"
    out, said = process.communicate(timeout=120)
    assert all(text.startswith("wfclip: ") for text in said.splitlines()), said
    return process.returncode, out, said.splitlines()


def shards(out: Path) -> dict[str, int]:
    "Finished shards of an output, with their times"
    try: return {p.name: p.stat().st_mtime_ns for p in Path(f"{out}.parts").glob("[0-9]*.json")}
    except FileNotFoundError: return {}


def wait_for(condition, seconds: float = 60):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "timed out"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def alone(folder) -> list[bytes]:
    "The output of each line of WORK, by one process without shards"
    found = []
    for line in WORK:
        code, _, said = here(line.format("alone"), folder)
        assert code == (1 if "broken" in line else 0) and len(said) == code
        found.append((folder / line.format("alone").split()[-1]).read_bytes())
    return found


@pytest.mark.parametrize("k", range(len(WORK)))
def test_two_processes_write_the_bytes_of_one(folder, alone, k):
    bad, n = ("broken" in WORK[k], 301) if "broken" in WORK[k] else (False, 80)
    line = f"{WORK[k].format(f'two-{k}')} --shard-size 256"   # structures are encoded in blocks of 256
    out = folder / line.split()[-3]
    ranks = [dict(RANK=str(r), WORLD_SIZE="2") for r in range(2)]
    if k == 0: results = [end(p) for p in [launch(line, folder, **r) for r in ranks]]
    else: results = [here(line, folder, **r) for r in reversed(ranks)]
    assert out.read_bytes() == alone[k] and not Path(f"{out}.parts").exists()
    assert sorted(code for code, _, _ in results) == [0, int(bad)]
    assert sum("broken.xyz" in text for _, _, said in results for text in said) == bad
    [told] = [text for _, text, _ in results if text]
    assert told.startswith(f"{out.name}: {n} ") and told.count("1 could not be read") == bad
    code, told, said = here(line, folder, **ranks[1])
    assert (code, told) == (0, "") and "complete already" in said[0] and out.read_bytes() == alone[k]


def test_shards_do_not_depend_on_the_number_of_processes(folder):
    line = "predict small.safetensors -o {}.csv --shard-size 9"
    for name, world in (("one", 1), ("three", 3), ("many", 12)):
        for rank in range(world): here(line.format(name), folder, RANK=str(rank), WORLD_SIZE=str(world))
        assert (folder / f"{name}.csv").read_bytes() == (folder / "one.csv").read_bytes()
    rows = list(csv.DictReader((folder / "one.csv").read_text(encoding="utf-8").splitlines()))
    assert [r["id"] for r in rows] == load_dataset(folder / "small").ids


def test_torchrun(folder, alone):
    command = f"-m torch.distributed.run --standalone --nproc-per-node 2 -m wfclip {WORK[3].format('torchrun')}"
    python(*command.split(), "--model", "run", "--device", "cpu", "--shard-size", "256", cwd=folder, PYTHONPATH=PATH)
    assert (folder / "torchrun.jsonl").read_bytes() == alone[3]
    assert not (folder / "torchrun.jsonl.parts").exists()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_job_continues(folder, how):
    line = "embed many.db broken.xyz single.xyz -o {} --shard-size 4"
    code, _, said = here(line.format("whole.safetensors"), folder)
    assert code == 1 and len(said) == 1
    out = folder / f"stopped-{how}.safetensors"
    process = launch(line.format(out.name), folder)
    wait_for(lambda: len(shards(out)) >= 20 or process.poll() is not None)
    os.killpg(process.pid, how)
    stopped = process.wait(60)
    if how == signal.SIGINT:
        assert (stopped, process.stderr.read()) == (130, "wfclip: stopped; the same command continues where it was.\n")
    before = shards(out)
    assert 20 <= len(before) < 76 and not out.exists()

    # another number of processes goes on: what was finished is not made again
    assert here(line.format(out.name), folder, RANK="1", WORLD_SIZE="2")[0] == 0
    half = shards(out)
    assert before.items() <= half.items() and len(before) < len(half) < 76
    code, told, said = here(line.format(out.name), folder)
    assert code == 1 and told.startswith(f"{out.name}: 301 crystal embeddings, 1 could not be read")
    assert out.read_bytes() == (folder / "whole.safetensors").read_bytes()
    assert not Path(f"{out}.parts").exists() and not list(folder.glob(f".{out.name}*"))


def test_a_kill_while_joining(folder):
    line = "predict many.db -o {} --shard-size 100"
    assert here(line.format("whole.csv"), folder)[0] == 0
    code = f"""
import os, sys
import wfclip.screen
from wfclip.cli import main
wfclip.screen._lines = lambda paths: iter(lambda: os.kill(os.getpid(), {int(signal.SIGKILL)}), 1)
main(sys.argv[1:])
"""
    command = [sys.executable, "-c", code, *line.format("joined.csv").split(), "--model", "run", "--device", "cpu"]
    done = subprocess.run(command, cwd=folder, env=os.environ | dict(PYTHONPATH=PATH, OMP_NUM_THREADS="1"))
    assert done.returncode == -signal.SIGKILL and len(shards(folder / "joined.csv")) == 3
    assert here(line.format("joined.csv"), folder)[0] == 0
    assert (folder / "joined.csv").read_bytes() == (folder / "whole.csv").read_bytes()
    assert not list(folder.glob("joined.csv.*"))


def test_a_folder_of_another_job_is_refused(folder):
    line = "predict many.db -o other.csv --shard-size 100"
    assert here(line, folder, RANK="1", WORLD_SIZE="2")[0] == 0
    for more, name in {"--coverage .5": "coverage", "--method kernel": "method", "--shard-size 50": "shard_size"}.items():
        code, _, [said] = here(f"{line} {more}", folder)
        assert code == 2 and said.startswith("wfclip: other.csv.parts: unfinished work of another") and f"in {name};" in said
    os.utime(folder / "many.db")
    assert "in sources;" in here(line, folder)[2][0]
    shutil.rmtree(folder / "other.csv.parts")
    assert here(line, folder)[0] == 0


@pytest.mark.parametrize("line, reason", {
    "predict single.xyz -o x.txt": "ends in .csv or .json or .jsonl",
    "predict single.xyz -o x.csv --json": "leave out --json and --csv",
    "predict single.xyz -o x.csv --plot there": "leave out --out, or --plot",
    "predict single.xyz -o no/x.csv": "no: no such folder",
    "predict single.xyz -o x.csv --shard-size 0": "one structure or more",
    "embed single.xyz -o x.csv": "ends in .safetensors or .npz",
    "embed broken.xyz -o x.npz": "nothing could be read",
}.items())
def test_mistakes(folder, line, reason):
    before = sorted(os.listdir(folder))
    code, out, said = here(line, folder)
    assert code == 2 and out == "" and reason in said[-1] and sorted(os.listdir(folder)) == before


def test_several_processes_need_a_file_and_a_number(folder):
    assert "--out FILE" in here("predict single.xyz", folder, WORLD_SIZE="2")[2][0]
    assert "from 0 to WORLD_SIZE - 1" in here("predict single.xyz -o x.csv", folder, RANK="2", WORLD_SIZE="2")[2][0]


def test_nothing_that_can_be_read(folder):
    line = "embed broken.xyz gone.xyz -o none.npz --shard-size 1"
    assert [here(line, folder, RANK=r, WORLD_SIZE="2")[0] for r in "01"] == [0, 2] and not list(folder.glob("none*"))
    code, out, said = here("predict broken.xyz gone.xyz -o none.csv --shard-size 1", folder)
    assert code == 2 and "0 predictions, 2 could not be read" in out and len(said) == 2
    rows = list(csv.DictReader((folder / "none.csv").read_text(encoding="utf-8").splitlines()))
    assert [bool(r["error"]) for r in rows] == [True, True]


def test_all_formats_agree(folder, alone):
    assert here("embed many.db single.xyz broken.xyz -o all.npz --shard-size 256", folder)[0] == 1
    arrays = np.load(folder / "all.npz")
    (folder / "first.safetensors").write_bytes(alone[0])
    index = Index(folder / "first.safetensors")
    assert arrays["id"].tolist() == [index.text("id", i) for i in range(301)]
    for name in ("embeddings", "phi_top", "elements"): assert np.array_equal(arrays[name], index[name])
    rows = [json.loads(line) for line in alone[3].splitlines()]
    assert [r["id"] for r in rows] == load_dataset(folder / "small").ids and all(len(r["profile"]["phi"]) >= 64 for r in rows)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_flat(folder):
    code = """
from pathlib import Path
from wfclip.data.format import join_datasets
from wfclip.predict import Predictor
from wfclip.screen import embed_files, predict_files
def anonymous():
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024
predictor, made = Predictor.from_pretrained("run", "cpu"), []
for k in (10, 10, 50):  # the first time to fill what the allocator keeps
    join_datasets("copies.safetensors", ["small.safetensors"] * k)
    peak = 0
    for work, out in ((embed_files, "flat.safetensors"), (predict_files, "flat.csv")):
        work(["copies.safetensors"], out, predictor, shard_size=256)
        peak = max(peak, anonymous())
    made.append(peak)
print(*made)
"""
    _, few, many = map(float, python("-c", code, cwd=folder, PYTHONPATH=PATH, OMP_NUM_THREADS="1").split())
    assert many - few < 12  # MB, for 3200 structures more
