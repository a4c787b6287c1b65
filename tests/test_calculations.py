"""Files as people have them: each small calculation gives its right value, or the sentence that says why not."""
import json
import lzma
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


def test_a_step_nearer_to_the_atoms_is_said(tmp_path, capsys):
    "At 4 Å what is flat beside the step is enough for a level; nearer it is not, and that is said"
    case = CASES / "A1_step_4A_above_top"
    row = profile(case / "PLANAR_AVERAGE.dat", capsys)
    assert faces(row) == pytest.approx((5.25, 5.85), abs=0.005) and row["window_top"][1] < 1.5 + 4
    for name in ("OUTCAR", "POSCAR"): shutil.copy(case / name, tmp_path)
    z, v = np.loadtxt(case / "PLANAR_AVERAGE.dat").T
    for nearer in (0.5, 1, 1.5, 2, 3):
        moved = np.where((z > 6 + 1.5 + 4 - nearer) & (z < 12), 4.0, v)  # what lies between belongs to the other face then
        np.savetxt(tmp_path / "PLANAR_AVERAGE.dat", np.column_stack([z, moved]))
        told = profile(tmp_path / "PLANAR_AVERAGE.dat", capsys)
        assert "dipole correction" in str(told.get("error") or told["warnings"])


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


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.7, 0.95])
@pytest.mark.parametrize("full", [1, 2])
def test_a_valence_band_may_be_filled_by_any_share(share, full, tmp_path):
    "Everywhere in the plane of wave vectors; with spin-orbit coupling a full level counts 1"
    text = (CASES / "C1_outcar_methfessel_paxton/OUTCAR").read_text(encoding="utf-8")
    for before, after in {"2.00000": full, "1.57800": full * share, "2.07000": full * share}.items(): text = text.replace(f"     {before}\n", f"     {after:.5f}\n")
    for number, band in (("3", "-1.5878"),): text = text.replace(f"{number}     {band}     {full:.5f}", f"{number}     {band}     {full * share:.5f}")
    (tmp_path / "OUTCAR").write_text(text, encoding="utf-8")
    found = read_outcar(tmp_path / "OUTCAR")
    assert (found.gap, found.vbm, found.cbm) == pytest.approx((1.7228, -1.2878, 0.435)) and f"filled to {share:.2f}" in str(found.notes)


def test_a_header_that_names_the_fermi_level_without_subtracting_it(tmp_path, capsys):
    case = CASES / "B1_shifted_header_says_zero"
    for beside in ("OUTCAR", "POSCAR"): (tmp_path / beside).write_text((case / beside).read_text(encoding="utf-8"), encoding="utf-8")
    numbers = (case / "planar.dat").read_text(encoding="utf-8").partition("\n")[2]
    for head, found in {"V - E_F (eV)": FACES, "E_F taken as zero": FACES, "energies vs E_F": FACES, "not relative to E_F": None, "V_vac - E_F = 5.25": None, "E_F = -1.25 eV": None}.items():
        (tmp_path / "v.dat").write_text(f"# z (A), {head}\n{numbers}", encoding="utf-8")
        row = profile(tmp_path / "v.dat", capsys)
        asked = "it is not clear from which zero" in str(row["warnings"])
        assert (row["work_function"], asked) == ((None, True) if found is None else (pytest.approx(5.55, abs=0.02), False)), head


@pytest.mark.parametrize("name", ["D1_LOCPOT_Z/LOCPOT_Z", "G1_average_x_stdout/avg.out", "H1_pw_hubbard/avg.dat", "K1_exponent_without_E/LOCPOT"])
def test_files_under_any_name_and_by_any_program(name, capsys):
    row = profile(CASES / name, capsys)
    assert faces(row) == FACES and row["step"] == pytest.approx(0.6, abs=0.005)


def test_two_columns_may_be_called_locpot_dat(tmp_path, capsys):
    case = CASES / "D1_LOCPOT_Z"
    for name, to in {"LOCPOT_Z": "locpot.dat", "OUTCAR": "OUTCAR", "POSCAR": "POSCAR"}.items():
        (tmp_path / to).write_text((case / name).read_text(encoding="utf-8"), encoding="utf-8")
    assert faces(profile(tmp_path / "locpot.dat", capsys)) == FACES


WRITTEN = {"PLANAR_AVERAGE.DAT": lambda x: x, "locpot_z.txt": lambda x: x.replace("\n", "\r\n"),
           "LOCPOT.csv": lambda x: "z,V\n(A),(eV)\n" + "\n".join(map(",".join, map(str.split, x.splitlines()[1:]))),
           "locpot z.agr": lambda x: f"@ title\n{x}&\n", "LOCPOT-mean": lambda x: x.replace("4.00000", "0.4D+01"), "PLANAR_AVERAGE.dat.xz": lambda x: lzma.compress(x.encode())}


@pytest.mark.parametrize("name", WRITTEN)
def test_two_columns_in_another_writing(name, tmp_path, capsys):
    case = CASES / "A0_control_step_opposite"
    (folder := tmp_path / "my layer").mkdir()
    for beside, to in {"OUTCAR": "outcar", "POSCAR": "poscar"}.items(): (folder / to).write_bytes((case / beside).read_bytes().replace(b"\n", b"\r\n"))
    text = WRITTEN[name]((case / "PLANAR_AVERAGE.dat").read_text(encoding="utf-8"))
    (folder / name).write_bytes(text if isinstance(text, bytes) else b"\xef\xbb\xbf" + text.encode())
    row = profile(folder / name, capsys)
    assert faces(row) == FACES and row["formula"] == "MoSSe"


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
