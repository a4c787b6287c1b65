"""Files as people have them: each small calculation gives its right value, or the sentence that says why not."""
import json
import shutil
import warnings

import numpy as np
import pytest
from project import ROOT

from wfclip.cli import main
from wfclip.data.build import build_dataset
from wfclip.data.check import read_profile
from wfclip.data.dataset import load_dataset
from wfclip.data.levels import read_outcar
from wfclip.data.profile import ProfileError

CASES = ROOT / "tests/files/calculations"  # a made-up layer whose faces have the work functions 5.25 and 5.85 eV
FACES = pytest.approx((5.25, 5.85), abs=0.03)


def profile(path, capsys, *options) -> dict:
    "What `wfclip data profile` says about a file: its row, or the error"
    with warnings.catch_warnings(action="error"): main(["data", "profile", str(path), "--json", *options])
    return json.loads(capsys.readouterr().out)[0]


def faces(row: dict) -> tuple[float, float]:
    assert "error" not in row, row["error"]
    return row["phi_bottom"], row["phi_top"]


@pytest.mark.parametrize("name", ["A0_control_step_opposite/PLANAR_AVERAGE.dat", "A1_step_4A_above_top/PLANAR_AVERAGE.dat",
                                  "A2_DIPOL_half_layer_quarter/LOCPOT"])
def test_both_faces_are_right(name, capsys):
    assert faces(profile(CASES / name, capsys)) == FACES


def test_a_step_near_the_atoms_is_said(capsys):
    told = {name: profile(CASES / name, capsys)["warnings"] for name in
            ("A0_control_step_opposite/PLANAR_AVERAGE.dat", "A1_step_4A_above_top/PLANAR_AVERAGE.dat")}
    assert [len(w) for w in told.values()] == [0, 1] and "DIPOL" in str(told)


def test_a_file_that_is_measured_from_the_fermi_level_is_not_shifted_twice(tmp_path, capsys):
    case = CASES / "B1_shifted_header_says_zero"
    row = profile(case / "planar.dat", capsys)
    assert faces(row) == FACES and row["efermi"] == 0 and "as its header says" in str(row["notes"])
    for beside in ("OUTCAR", "POSCAR"): (tmp_path / beside).write_text((case / beside).read_text(encoding="utf-8"), encoding="utf-8")
    silent = tmp_path / "planar.dat"
    silent.write_text((case / "planar.dat").read_text(encoding="utf-8").partition("\n")[2], encoding="utf-8")
    row = profile(silent, capsys)  # nothing tells now
    assert row["work_function"] is None and "--efermi on the command line: 0 if it was subtracted" in str(row["warnings"])
    assert faces(profile(silent, capsys, "--efermi", "0")) == FACES
    with pytest.raises(ProfileError, match="not clear from which zero"): read_profile(silent)


def test_bands_that_smearing_fills_in_part_make_no_metal(capsys):
    case = CASES / "C1_outcar_methfessel_paxton"
    found = read_outcar(case / "OUTCAR")
    assert (found.gap, found.vbm, found.cbm) == pytest.approx((1.7228, -1.2878, 0.435))
    assert "filled to 0.79" in str(profile(case / "PLANAR_AVERAGE.dat", capsys)["warnings"])


@pytest.mark.parametrize("name", ["D1_LOCPOT_Z/LOCPOT_Z", "G1_average_x_stdout/avg.out", "H1_pw_hubbard/avg.dat", "K1_exponent_without_E/LOCPOT"])
def test_files_under_any_name_and_by_any_program(name, capsys):
    row = profile(CASES / name, capsys)
    assert faces(row) == FACES and row["step"] == pytest.approx(0.6, abs=0.005)


def test_two_columns_may_be_called_locpot_dat(tmp_path, capsys):
    case = CASES / "D1_LOCPOT_Z"
    for name, to in {"LOCPOT_Z": "locpot.dat", "OUTCAR": "OUTCAR", "POSCAR": "POSCAR"}.items():
        (tmp_path / to).write_text((case / name).read_text(encoding="utf-8"), encoding="utf-8")
    assert faces(profile(tmp_path / "locpot.dat", capsys)) == FACES


def test_levels_are_read_where_the_structure_cannot_be(capsys):
    case = CASES / "H1_pw_hubbard"
    assert "give a structure (--structure)" in str(profile(case / "avg.dat", capsys)["notes"])
    row = profile(case / "avg.dat", capsys, "--structure", str(CASES / "A0_control_step_opposite/POSCAR"))
    assert faces(row) == FACES and row["formula"] == "MoSSe"


def test_abacus_writes_rydberg_and_its_fermi_level_into_a_log(tmp_path, capsys):
    cube = (CASES / "L1_abacus_cube/ElecStaticPot.cube").read_text(encoding="utf-8")
    (tmp_path / "ElecStaticPot.cube").write_text(cube, encoding="utf-8")
    assert faces(profile(tmp_path / "ElecStaticPot.cube", capsys, "--efermi", "-1.25")) == FACES
    (tmp_path / "running_scf.log").write_text("     WELCOME TO ABACUS v3.2\n\n EFERMI = -1.25000000 eV\n", encoding="utf-8")
    row = profile(tmp_path / "ElecStaticPot.cube", capsys)
    assert faces(row) == FACES and row["unit"] == "Ry" and row["read"] == ["running_scf.log"]


def test_siesta_counts_heights_in_bohr(tmp_path, capsys):
    z, v = np.loadtxt(CASES / "A0_control_step_opposite/PLANAR_AVERAGE.dat").T
    np.savetxt(tmp_path / "layer.PAV", np.column_stack([z / 0.529177210544, v]))
    row = profile(tmp_path / "layer.PAV", capsys, "--efermi", "-1.25")
    assert faces(row) == FACES and row["window_top"][1] < 12


@pytest.mark.parametrize("name, reason", {
    "I1_zip/LOCPOT.zip": "packed with zip; unpack it first",
    "J1_pp_filplot/layer.pot": "a file of pp.x for plotting (filplot)",
    "J3_planar_macroscopic_csv/potential.csv": "its first column is no height",
    "H1_pw_hubbard/scf.out": "an output of pw.x, which holds no potential; give avg.dat",
}.items())
def test_what_is_not_read_is_named(name, reason, capsys):
    assert reason in profile(CASES / name, capsys)["error"]


@pytest.mark.parametrize("name", ["E1_build_LOCPOT_static", "E2_build_LOCPOT_static_OUTCAR"])
def test_a_build_takes_a_potential_by_any_ending(name, tmp_path):
    report = build_dataset(CASES / name, tmp_path / "out", workers=1)
    assert (report["accepted"], report["rejected"]) == (1, [])
    assert load_dataset(tmp_path / "out.safetensors").properties["work_function"] == pytest.approx([5.55], abs=0.01)


def test_a_build_leaves_nothing_out_of_its_report(tmp_path):
    for name, case in {"differ": "F1_scf_and_nscf/x", "packed": "I1_zip", "lone": "H1_pw_hubbard", "two": "A2_DIPOL_half_layer_quarter"}.items():
        shutil.copytree(CASES / case, tmp_path / name)
    (tmp_path / "lone/avg.dat").unlink()
    shutil.copy(tmp_path / "two/LOCPOT", tmp_path / "two/LOCPOT.old")
    report = build_dataset(tmp_path, tmp_path / "out", workers=1)
    reasons = {r["id"]: r["reason"] for r in report["rejected"]}
    assert report["accepted"] == 1 and sorted(reasons) == ["differ", "lone", "packed", "two/LOCPOT.old"]
    assert "Fermi levels differ (nscf.out -1.1000 eV, scf.out -1.2500 eV)" in reasons["differ"] and "packed with zip" in reasons["packed"]
    assert "no potential beside scf.out; write it with pp.x" in reasons["lone"] and "left out, since LOCPOT" in reasons["two/LOCPOT.old"]


def test_two_fermi_levels_are_reported_in_python_too():
    with pytest.raises(ProfileError, match="Fermi levels differ"): read_profile(CASES / "F1_scf_and_nscf/x/avg.dat")
