"""Files as people have them: each small calculation gives its right value, or the sentence that says why not."""
import json
import warnings

import pytest
from project import ROOT

from wfclip.cli import main
from wfclip.data.check import read_profile
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
    for beside in ("OUTCAR", "POSCAR"): (tmp_path / beside).write_text((case / beside).read_text())
    silent = tmp_path / "planar.dat"
    silent.write_text((case / "planar.dat").read_text().partition("\n")[2])
    row = profile(silent, capsys)  # nothing tells now
    assert row["work_function"] is None and "--efermi on the command line: 0 if it was subtracted" in str(row["warnings"])
    assert faces(profile(silent, capsys, "--efermi", "0")) == FACES
    with pytest.raises(ProfileError, match="not clear from which zero"): read_profile(silent)


def test_bands_that_smearing_fills_in_part_make_no_metal(capsys):
    case = CASES / "C1_outcar_methfessel_paxton"
    found = read_outcar(case / "OUTCAR")
    assert (found.gap, found.vbm, found.cbm) == pytest.approx((1.7228, -1.2878, 0.435))
    assert "filled to 0.79" in str(profile(case / "PLANAR_AVERAGE.dat", capsys)["warnings"])
