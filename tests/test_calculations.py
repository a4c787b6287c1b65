"""Files as people have them: each small calculation gives its right value, or the sentence that says why not."""
import json
import warnings

import pytest
from project import ROOT

from wfclip.cli import main

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
