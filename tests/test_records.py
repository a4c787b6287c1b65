"""The bundled dataset is built from records of calculations: sound ones go in, the same bytes each time; others are named."""
import gzip
import json
import sys

import numpy as np
import pytest
from project import ROOT

from wfclip import load_dataset
from wfclip.data.format import stored_segment

sys.path.insert(0, str(ROOT / "tools"))
from build_dft2d import fault, main  # noqa: E402

DATA = load_dataset()
GAPPED = next(i for i in range(len(DATA)) if DATA.properties["gap"][i] > 1)
METAL = next(i for i in range(len(DATA)) if DATA.properties["gap"][i] == 0)


def record(i: int) -> dict:
    "Bundled material i as a record, with a zero of energy of its own."
    layer, p, ef, a = DATA.layer(i), DATA.profile(i), -1.25, DATA.arrays
    positions = layer.positions + [0, 0, layer.cell[2, 2] / 2]
    v = p.phi + ef
    values = {k: float(DATA.properties[k][i]) for k in ("gap", "energy", "magmom", "fmax")}
    return dict(
        id=DATA.ids[i], formula=layer.formula, prototype=DATA.prototypes[i], symbols=layer.symbols, cell=layer.cell.tolist(),
        positions=positions.tolist(), v=v.tolist(), dz=float(p.z[1] - p.z[0]), efermi=ef, efermi_dft=ef,
        mesh=[int(DATA.properties[k][i]) for k in ("mesh_a", "mesh_b")], evac_top=p.phi_top + ef, evac_bottom=p.phi_bottom + ef,
        wf_top=p.phi_top, wf_bottom=p.phi_bottom, vbm=None if p.vbm is None else p.vbm + ef, cbm=None if p.cbm is None else p.cbm + ef,
        density=stored_segment(a, "density", i).tolist(), dos=a["dos"][i].tolist(), **values)


def written(path, records: list[dict]):
    with gzip.open(path, "wt") as f: f.writelines(json.dumps(r) + "\n" for r in records)
    return path


def test_sound_records_go_in_and_give_the_same_bytes(tmp_path):
    records = [record(i) for i in (GAPPED, METAL, 50, 100)]
    assert not any(map(fault, records))
    for name, order in (("a", records), ("b", records[::-1])):
        main(written(tmp_path / f"{name}.gz", order), tmp_path / f"{name}.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    built = load_dataset(tmp_path / "a.safetensors")
    same = [DATA.ids.index(name) for name in built.ids]
    for name, values in built.properties.items():
        np.testing.assert_allclose(values, DATA.properties[name][same], atol=1e-6)
    np.testing.assert_allclose(built.profile(0).phi, DATA.profile(same[0]).phi, atol=1e-5)


@pytest.mark.parametrize(("which", "change", "why"), [
    (GAPPED, dict(efermi=-1.0), "its work functions are not its vacuum levels less E_F"),
    (GAPPED, dict(gap=0.5), "edges that are"),
    (GAPPED, dict(cbm=None), "one band edge without the other"),
    (METAL, dict(gap=0.5), "a gap without band edges"),
    (GAPPED, "up", "outside its gap"),
    (GAPPED, "aside", "not in the middle of its gap"),
    (GAPPED, "deep", "a valence band maximum"),
])
def test_a_record_that_contradicts_itself_is_left_out_and_named(tmp_path, capsys, which, change, why):
    r = record(which)
    if isinstance(change, str):
        shift = {"up": 1.1 * r["gap"], "aside": .1, "deep": -30.0}[change]
        r |= dict(vbm=r["vbm"] + shift, cbm=r["cbm"] + shift)
        if change == "deep": r |= {k: r[k] - shift for k in ("evac_top", "evac_bottom")} | dict(efermi=r["efermi"] + shift)
        if change == "deep": r |= dict(wf_top=r["evac_top"] - r["efermi"], wf_bottom=r["evac_bottom"] - r["efermi"])
    else: r |= change
    assert why in fault(r)
    main(written(tmp_path / "r.gz", [r, record(50)]), tmp_path / "r.safetensors")
    said = capsys.readouterr().out
    assert f"left out {r['id']}" in said and why in said
    assert load_dataset(tmp_path / "r.safetensors").ids == [DATA.ids[50]]


def test_what_is_no_layer_is_left_out_and_a_doubtful_fermi_level_is_named(tmp_path, capsys):
    apart, doubtful = record(METAL), record(GAPPED)
    apart["symbols"], apart["positions"] = apart["symbols"] * 2, apart["positions"] + [[x, y, z + 20] for x, y, z in apart["positions"]]
    apart["cell"][2][2] += 30
    doubtful["efermi_dft"] += doubtful["gap"]
    main(written(tmp_path / "r.gz", [apart, doubtful]), tmp_path / "r.safetensors")
    said = capsys.readouterr().out
    assert "two slabs" in said and f"doubtful {doubtful['id']}" in said and "is outside its gap" in said
    assert load_dataset(tmp_path / "r.safetensors").ids == [doubtful["id"]]
