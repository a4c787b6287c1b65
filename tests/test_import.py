"""`import wfclip` is cheap, and the public names are where the documentation says."""
from importlib import import_module

import pytest
from project import python

HEAVY = {"torch_geometric", "e3nn", "pymatgen", "matplotlib", "sklearn", "ase", "torch"}
PUBLIC = {
    "": "WFClip WFClipConfig load_dataset read_layer read_profile",
    ".data.structure": "Layer StructureError read_layer",
    ".data.profile": "Profile ProfileError read_profile",
    ".data.neighbors": "neighbor_list",
    ".data.geometry": "local_geometry",
    ".data.graph": "Batch collate crystal_graph",
    ".data.dataset": "WorkFunctionDataset load_dataset",
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
