"""Building a dataset survives being killed, and what it builds can be trained on."""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from small import CONFIG

from wfclip.data.build import _part_name, build_dataset, find_sources
from wfclip.data.dataset import load_dataset


def write_database(path: Path, n: int) -> Path:
    "An ASE database of bundled layers in the published layout, some without a usable profile; gaps are not told"
    from ase.db import connect
    data = load_dataset()
    with connect(path) as db:
        for i in range(n):
            p, atoms = data.profile(i), data.layer(i).to_atoms()
            height = len(p.z) * (p.z[1] - p.z[0])
            atoms.set_cell(np.diag([1, 1, 0]) @ atoms.cell.array + np.diag([0, 0, height]))
            atoms.positions[:, 2] -= p.z[0]
            phi = p.phi if i % 10 else p.phi + 0.1 * p.z
            db.write(atoms, data={"work_func": np.column_stack([np.arange(len(phi)) / len(phi), phi])}, efermi_eV=0.0,
                     name=data.ids[i], split=("train", "val", "test")[max(0, i % 8 - 5)])
    return path


def start(source: Path, out: Path) -> subprocess.Popen:
    "`wfclip data build` with two workers, in a process group of its own"
    code = ("import signal, sys; from wfclip.cli import main; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "sys.exit(main(sys.argv[1:]))")  # the handler, in case that the tests run where SIGINT is ignored
    command = [sys.executable, "-c", code, "data", "build", str(source), "-o", str(out), "--workers", "2"]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition, seconds: float = 60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)


def processes_at(text: str) -> list[str]:
    "Processes that have `text` in their command line"
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try: found += [path.parent.name] if text.encode() in path.read_bytes() else []
        except OSError: pass
    return found


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> Path:
    return write_database(tmp_path_factory.mktemp("build") / "layers.db", 256)


@pytest.fixture(scope="module")
def whole(database, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "own"
    report = build_dataset(database, out, workers=1)
    assert len(report["rejected"]) == 26 and all("no vacuum level" in r["reason"] for r in report["rejected"])
    return out


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_build_continues(database, whole, tmp_path, how):
    out = tmp_path / "own"
    process = start(database, out)
    done = lambda: len(list(Path(f"{out}.parts").glob("*.json")))
    wait_for(lambda: done() >= 5 or process.poll() is not None)
    (os.kill if how == signal.SIGKILL else os.killpg)(process.pid, how)
    code, said = process.wait(60), process.stderr.read()
    assert code == (-9 if how == signal.SIGKILL else 130), said
    if how == signal.SIGINT: assert said == "wfclip: stopped; the same command continues where it was.\n"
    wait_for(lambda: not processes_at(str(out)))
    before, stamps = done(), {p: p.stat().st_mtime_ns for p in Path(f"{out}.parts").glob("*.json")}
    assert 5 <= before < 64 and not Path(f"{out}.safetensors").exists()

    kept = []
    process = start(database, out)
    wait_for(lambda: done() > before or process.poll() is not None)
    if process.poll() is None: kept = [p for p, t in stamps.items() if p.exists() and p.stat().st_mtime_ns != t]
    assert process.wait(120) == 1, process.stderr.read()
    assert not kept, "a finished part was made again"
    for name in ("own.safetensors", "own.report.json"):
        assert (tmp_path / name).read_bytes() == (whole.parent / name).read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["own.report.json", "own.report.txt", "own.safetensors"]


def test_a_changed_calculation_is_read_again(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x/PLANAR_AVERAGE.dat").write_text("0 1\n", encoding="utf-8")
    names = []
    for text in ("E-fermi : 1.0\n", "E-fermi : 2.00\n"):
        (tmp_path / "x/OUTCAR").write_text(text, encoding="utf-8")
        code = f"from wfclip.data.build import _part_name, find_sources; print(_part_name(find_sources({str(tmp_path)!r}), None))"
        names.append(subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout)
    assert names[0] != names[1]
    sources = find_sources(tmp_path)
    assert _part_name(sources, None) == names[1].strip() != _part_name(sources, "Ry")


def test_train_on_what_was_built(whole, tmp_path):
    from wfclip.config import TrainConfig, WFClipConfig
    from wfclip.evaluate import evaluate
    from wfclip.nn.clip import WFClip
    from wfclip.predict import predict
    from wfclip.train import read_run, train
    data = load_dataset(whole)
    assert np.isnan(data.properties["gap"]).all() and data.arrays["dos"].shape == (len(data), 0)
    recipe = TrainConfig(epochs=1, split="given", start="random")
    run = train(WFClipConfig(**CONFIG), data, tmp_path / "run", recipe, device="cpu", progress=False)
    _, _, split = read_run(run, data)
    result = evaluate(WFClip.from_pretrained(run), data, split)
    assert set(result["errors"]["work_function"]) >= {"joint head", "training mean"} and "gap" not in result["errors"]
    json.dumps(result, allow_nan=False)
    answers = predict([str(whole)], model=run)
    assert [p.id for p in answers] == data.ids and not any(p.error for p in answers)
    assert answers[0].ionization_energy is None
