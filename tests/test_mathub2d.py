"""The script of the MatHub-2d benchmark on a made-up database in the same layout."""
import csv
import gzip
import importlib.util
import json

import numpy as np
import pytest
from project import ROOT

from wfclip.config import TrainConfig, WFClipConfig
from wfclip.data.dataset import load_dataset
from wfclip.data.format import Entry, write_dataset
from wfclip.train import train

PARTS = ["train"] * 6 + ["val", "test"]


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("mathub2d", ROOT / "benchmarks/mathub2d.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.RESULTS = tmp_path_factory.mktemp("results")
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    "pairs.db with what stands beside it, and the dataset made of it: bundled materials in cells of 30 Å"
    from ase.db import connect
    out, data, rows, entries = tmp_path_factory.mktemp("mathub"), load_dataset(), [], []
    for n, i in enumerate(range(0, len(data), 20)):
        layer, p, efermi = data.layer(i), data.profile(i), -3 + n / 50
        name, height = f"MIP2D-{n}-{layer.to_atoms().get_chemical_formula()}", np.arange(1, 449) / 448
        keys = dict(mip2d_id=name, split=PARTS[n % 8], tier="AB"[n // 8 % 2], efermi_eV=efermi, workfunction_eV=p.work_function)
        atoms = layer.to_atoms()
        atoms.cell[2], atoms.pbc, atoms.positions = (0, 0, 30), True, layer.positions + [0, 0, 15]
        v = np.interp(30 * height - 15, p.z, p.phi, p.phi_bottom, p.phi_top) + efermi
        with connect(out / "pairs.db") as db: db.write(atoms, keys, data=dict(work_func=np.stack([height, v], 1)))
        rows.append(keys | dict(c2db_gap_eV=float(data.properties["gap"][i])))
        entries.append(Entry(type(layer)(layer.numbers, layer.positions, layer.cell, name), p, part=PARTS[n % 8]))
    write_dataset(out / "mathub.safetensors", entries)
    with gzip.open(out / "pairs.jsonl.gz", "wt") as f: f.writelines(json.dumps(row) + "\n" for row in rows)
    with open(out / "labels_split_1899.csv", "w", newline="", encoding="utf-8") as f:
        table = csv.DictWriter(f, ["mip2d_id", "split", "efermi_eV", "workfunction_eV"], extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
    return out


def written(script, name):
    return json.loads((script.RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def test_the_data(script, folder):
    script.write_data(folder / "pairs.db", folder / "mathub.safetensors")
    d, n = written(script, "data"), len(load_dataset(folder / "mathub.safetensors"))
    assert (d["rows"], d["used"], d["refused"], d["lost"]) == (n, n, {}, {})
    assert d["differ"]["100"] < 1e-4 and d["correlation"]["pairs"]["n"] == n


def test_runs_on_both_kinds_of_profile(script, folder):
    script.write_raw(folder / "pairs.db", folder / "mathub.safetensors", folder / "raw.safetensors")
    phi, raw = (load_dataset(folder / f"{name}.safetensors") for name in ("mathub", "raw"))
    for grid in ((448, 30 / 448), (256, 0.1)):
        shift = (raw.profiles(*grid) - phi.profiles(*grid)).numpy()
        assert np.median(np.ptp(shift, axis=1)) < .1, "a constant on every grid, to the ends"
    assert np.ptp(shift, axis=1).max() < 1e-4 and np.allclose(shift[:, 0], -3 + np.arange(len(phi)) / 50, atol=1e-4)
    assert np.allclose(raw.properties["work_function"], phi.properties["work_function"])
    runs = [train(WFClipConfig.paper(), data, folder / name, TrainConfig.paper(epochs=1, split="given"), progress=False)
            for name, data in (("run", phi), ("run-raw", raw))]
    for run in runs: script.write_run(folder / "pairs.db", run)
    script.write_compare(*runs)
    a, b = written(script, "paper-phi-0"), written(script, "paper-raw-0")
    of_test = phi.parts.count("test")
    assert a["split"]["test"] == a["retrieval"]["all"]["gallery"] == of_test == sum(a["errors"][f"tier_{t}"]["n"] for t in "AB")
    mean = [r["errors"]["all"][kind]["training mean"]["MAE"] for r in (a, b) for kind in ("ours", "published")]
    assert np.ptp(mean) < 1e-4 and "--data raw.safetensors --preset paper --epochs 1 --split given" in b["command"]
    assert not {"ids", "true", "predicted"} & set(a), "figures of single materials"
    assert set(written(script, "compare_paper")["errors"]) == {"kernel ridge", "linear probe", "retrieval"}


def test_the_shipped_model_knows_these_materials(script, folder):
    script.write_shipped(folder / "pairs.db", folder / "mathub.safetensors")
    s = written(script, "shipped")["pairs"]
    assert s["errors"]["all"]["ours"]["work function"]["MAE"] < .15 and s["retrieval"]["crystal_to_profile"]["R@1"] > .8


def test_another_dataset_is_refused(script, folder):
    with pytest.raises(SystemExit, match="dft2d-.* are not in pairs.db"):
        script.rows_of(load_dataset(), script.read_rows(folder / "pairs.db"))
