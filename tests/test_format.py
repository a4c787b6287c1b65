"""A model that was saved when its format was young is read by every later version, with the same numbers."""
import pytest
import torch
from project import ROOT

from wfclip.data.graph import collate, graph_arrays
from wfclip.data.structure import read_layer
from wfclip.nn.clip import CrystalTower

FILES = ROOT / "tests/files"


def test_a_model_of_the_first_format():
    model = CrystalTower.from_pretrained(FILES / "model-1")
    with torch.no_grad():
        z, v = model.crystal.features(collate([graph_arrays(read_layer(FILES / "WSSe.cif"))]))
        properties, p_cry = model.predict_properties(z, v), model.project_crystal(z)
    assert properties["work_function"].item() == pytest.approx(-0.0101697, abs=1e-4)
    assert properties["step"].item() == pytest.approx(0.0060620, abs=1e-4)
    assert p_cry[0, :3].tolist() == pytest.approx([-0.350085, 0.171432, -0.098810], abs=1e-4)
