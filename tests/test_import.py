"""`import wfclip` is cheap, and the public names are where the documentation says."""
from importlib import import_module

import pytest
from project import ROOT, python

from wfclip.cli import COMMANDS, DATA_COMMANDS

HEAVY = {"torch_geometric", "e3nn", "pymatgen", "matplotlib", "sklearn", "ase", "torch"}
PUBLIC = {
    "": "WFClip WFClipConfig example_path load_dataset read_layer read_profile",
    ".data.structure": "Layer StructureError read_layer",
    ".data.profile": "Profile ProfileError read_profile",
    ".data.neighbors": "neighbor_list",
    ".data.geometry": "local_geometry",
    ".data.graph": "Batch collate crystal_graph",
    ".data.dataset": "WorkFunctionDataset example_path load_dataset",
    ".data.levels": "Levels levels_beside",
    ".data.readers": "Potential read_potential",
    ".data.check": "potential_warnings potential_row",
    ".data.build": "build_dataset find_duplicates",
    ".data.export": "check_dataset describe export_dataset",
    ".data.inputs": "calculation_inputs",
    ".nn.elements": "ElementEmbedding",
    ".nn.expansion": "GaussianExpansion",
    ".nn.gates": "GatedConv",
    ".nn.attention": "BiasedAttention",
    ".nn.pooling": "EquivariantPooling",
    ".nn.crystal": "CrystalEncoder",
    ".nn.resnet1d": "ResNet1D",
    ".nn.loss": "contrastive_loss",
    ".nn.heads": "PropertyHeads heads_loss",
    ".nn.clip": "WFClip",
    ".train": "train",
    ".evaluate": "evaluate retrieval_metrics",
    ".predict": "Prediction predict",
    ".search": "search",
    ".screen": "embed_files predict_files",
    ".plot": "plot_profile plot_parity plot_ranks plot_map plot_band_alignment",
}
METHODS = {
    "data.profile.Profile": "resample flip plot",
    "data.dataset.WorkFunctionDataset": "split",
    "nn.clip.WFClip": "encode_crystal encode_profile save_pretrained from_pretrained predict",
}


def test_import_is_cheap():
    loaded = python("-c", "import sys, wfclip; print(*{name.partition('.')[0] for name in sys.modules})")
    assert not HEAVY & set(loaded.split())


def loaded_by(*commands: list[str]) -> set[str]:
    "Packages that these commands of `wfclip` import, in a process of their own"
    code = f"""
import sys
from wfclip.cli import main
assert not any(main(command) for command in {commands})
print(*{{name.partition(".")[0] for name in sys.modules}})"""
    return set(python("-c", code).splitlines()[-1].split())


def test_help_is_cheap():
    commands = [[], *([name] for name in COMMANDS), ["data"], *(["data", name] for name in DATA_COMMANDS)]
    loaded = loaded_by(*([*command, "--help"] for command in commands))
    assert "argparse" in loaded and not (HEAVY | {"numpy", "safetensors", "tqdm"}) & loaded


def test_predict_imports_only_what_it_needs():
    "Torch, e3nn for the layers of the pooling, pymatgen for CIF and a little of ASE, but nothing else that is heavy"
    loaded = loaded_by(["predict", str(ROOT / "examples/MoS2.cif")])
    assert "torch" in loaded and not {"torch_geometric", "matplotlib", "sklearn", "pandas", "h5py"} & loaded


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names(module):
    found = import_module("wfclip" + module)
    assert not [name for name in PUBLIC[module].split() if not callable(getattr(found, name, None))]


@pytest.mark.parametrize("path", METHODS)
def test_public_methods(path):
    module, _, cls = path.rpartition(".")
    found = getattr(import_module(f"wfclip.{module}"), cls)
    assert not [name for name in METHODS[path].split() if not callable(getattr(found, name, None))]


def test_submodules_are_not_shadowed():
    import wfclip
    for name in ("train", "evaluate", "predict", "search"): assert getattr(wfclip, name) is import_module(f"wfclip.{name}")
    with pytest.raises(AttributeError, match="no_such_name"): wfclip.no_such_name  # noqa: B018
