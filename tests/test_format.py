"""A model that was saved when its format was young: its tower is read with the same numbers; its heads, which said other energies, are refused."""
import json

import pytest
import torch
from project import ROOT
from safetensors.torch import load_file, save_file

from wfclip.data.graph import collate, graph_arrays
from wfclip.data.structure import read_layer
from wfclip.nn.clip import CrystalTower

FILES = ROOT / "tests/files"


def test_a_model_with_the_heads_of_before_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="a model of wfclip 0.1, whose heads say other energies than today's; train it again"):
        CrystalTower.from_pretrained(FILES / "model-1")


def test_the_tower_of_a_model_of_the_first_format(tmp_path):
    config = json.loads((FILES / "model-1/config.json").read_text(encoding="utf-8"))
    config["model"] |= dict(joint=False, contrast=True)
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    state = load_file(FILES / "model-1/model.safetensors")
    save_file({k: t for k, t in state.items() if not k.startswith("heads.")}, tmp_path / "model.safetensors")
    model = CrystalTower.from_pretrained(tmp_path)
    with torch.no_grad():
        z, _ = model.crystal.features(collate([graph_arrays(read_layer(FILES / "WSSe.cif"))]))
    assert model.project_crystal(z)[0, :3].tolist() == pytest.approx([-0.350085, 0.171432, -0.098810], abs=1e-4)
