"""What was computed for a layer stands beside its prediction, whoever wrote the file."""
import csv

import numpy as np
import pytest
from ase import Atoms
from ase.build import graphene, make_supercell, mx2
from ase.io import write
from small import small_run

from wfclip.cli import main
from wfclip.data.dataset import load_dataset
from wfclip.predict import Predictor


def phosphorene() -> Atoms:
    "Black phosphorus, one layer, as PBE has it"
    y = .373
    places = [(0, y, 1.06), (1.65, 2.31 - y, 1.06), (0, -y, -1.06), (1.65, 2.31 + y, -1.06)]
    return Atoms("P4", places, cell=[3.30, 4.62, 20], pbc=(True, True, False))


TEXTBOOK = {  # layer; prototypes that it may be; work function or None, gap, eV
    "graphene": (graphene(vacuum=8), {"honeycomb-planar", "honeycomb-buckled"}, 4.25, 0),
    "MoS2": (mx2("MoS2", vacuum=8), {"H-MX2"}, None, 1.52),
    "h-BN": (graphene("BN", a=2.51, vacuum=8), {"honeycomb-planar", "honeycomb-buckled"}, None, 4.47),
    "phosphorene": (phosphorene(), {"puckered"}, None, .77),
}


@pytest.mark.parametrize("scale", [.98, 1, 1.02])
def test_textbook_layers_from_any_file(tmp_path, capsys, scale):
    files, wanted = [], []
    for name, (atoms, *about) in TEXTBOOK.items():
        atoms = make_supercell(atoms, [[1, 1, 0], [0, 2, 0], [0, 0, 1]])
        atoms.set_cell(atoms.cell * scale, scale_atoms=True)
        turned = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell.array[[2, 0, 1]], pbc=True)
        turned.cell[0] = [0, 0, 24]
        for ending, given in dict(vasp=atoms, extxyz=turned, cif=turned).items():
            files.append(str(tmp_path / f"{name}.{ending}"))
            wanted.append(about)
            write(files[-1], given)
    assert main(["predict", *files, "--csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    for row, (kinds, work_function, gap) in zip(rows, wanted, strict=True):
        assert row["known_prototype"] in kinds, row
        assert float(row["known_gap"]) == pytest.approx(gap, abs=.03)
        if work_function: assert float(row["known_work_function"]) == pytest.approx(work_function, abs=.03)
        assert abs(float(row["known_strain"])) < .045 and row["work_function"] != row["known_work_function"]
    strain = np.array([float(row["known_strain"]) for row in rows if "graphene" in row["source"]])
    assert strain == pytest.approx(2.46 / 2.471 * scale - 1, abs=2e-3)


def test_a_run_of_ones_own_data_knows_these_and_no_others(tmp_path):
    run = small_run(tmp_path)
    predictor = Predictor.from_pretrained(run, "cpu")
    mine, bundled = load_dataset(tmp_path / "small.safetensors"), load_dataset()
    other = next(i for i in range(len(bundled)) if bundled.formulas[i] not in mine.formulas)
    known, unknown = predictor.predict([mine.layer(3).flip(), bundled.layer(other)])
    assert (known.known.id, unknown.known) == (mine.ids[3], None) and known.known.data == "small, PBE"
    assert known.known.phi_top == pytest.approx(mine.properties["phi_bottom"][3]) or abs(mine.properties["step"][3]) < .1
    (tmp_path / "small.safetensors").unlink()
    assert Predictor.from_pretrained(run, "cpu").predict(mine.layer(3)).known is None
