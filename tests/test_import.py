"""`import wfclip` is cheap, and the public names are where the documentation says."""
from importlib import import_module

import pytest
from project import ROOT, python

from wfclip.cli import _COMMANDS

HEAVY = {"torch_geometric", "e3nn", "pymatgen", "matplotlib", "sklearn", "ase", "torch"}
PUBLIC = {
    "": "Predictor WFClip WFClipConfig WFClipFeaturizer example_path load_dataset read_layer read_profile",
    ".files": "write_atomic write_json",
    ".energies": "Energy energy_names",
    ".config": "WFClipConfig TrainConfig",
    ".plot": "plot_profile plot_parity plot_ranks plot_map plot_band_alignment",
    ".data.layer": "Layer StructureError",
    ".data.structure": "read_layer read_layers",
    ".data.profile": "Profile ProfileError",
    ".data.levels": "Levels levels_beside",
    ".data.readers": "Potential read_potential",
    ".data.check": "potential_warnings potential_row read_profile",
    ".data.neighbors": "neighbor_list",
    ".data.geometry": "local_geometry",
    ".data.graph": "Batch collate crystal_graph",
    ".data.format": "Entry open_dataset write_dataset",
    ".data.dataset": "WorkFunctionDataset example_path load_dataset",
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
    ".encode": "encode encode_profiles",
    ".bank": "Bank build_bank",
    ".train": "train",
    ".evaluate": "evaluate retrieval_metrics",
    ".predict": "Prediction Predictor predict",
    ".index": "Index open_index write_index",
    ".nearest": "nearest_unit top_k",
    ".embed": "index_dataset model_digest",
    ".search": "search",
    ".jobs": "Job run_job",
    ".screen": "embed_files predict_files",
    ".cli": "main",
}
METHODS = {
    "data.profile.Profile": "resample flip plot",
    "data.dataset.WorkFunctionDataset": "split",
    "nn.clip.WFClip": "encode_crystal encode_profile save_pretrained from_pretrained",
    "predict.Predictor": "from_pretrained from_run predict encode energies",
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
    commands = [[], ["data"], *(name.split() for name in _COMMANDS)]
    loaded = loaded_by(*([*command, "--help"] for command in commands))
    assert "argparse" in loaded and not (HEAVY | {"numpy", "safetensors", "tqdm"}) & loaded


def test_predict_imports_only_what_it_needs():
    "Torch, pymatgen for CIF and a little of ASE, but nothing else that is heavy"
    loaded = loaded_by(["predict", str(ROOT / "examples/MoS2.cif")])
    assert "torch" in loaded and not {"torch_geometric", "e3nn", "matplotlib", "sklearn", "pandas", "h5py"} & loaded


@pytest.mark.parametrize("command", (
    ["search", "--work-function", "4.4", "4.6", "--gap", "0", "0"],
    ["data", "profile", str(ROOT / "examples/calculations/vasp/WSSe/LOCPOT.gz")]))
def test_what_asks_no_model_loads_no_torch(command):
    assert not {"torch", "torch_geometric", "e3nn", "pymatgen", "matplotlib", "sklearn"} & loaded_by(command)


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names(module):
    found = import_module("wfclip" + module)
    assert not [name for name in PUBLIC[module].split() if not callable(getattr(found, name, None))]


@pytest.mark.parametrize("path", METHODS)
def test_public_methods(path):
    module, _, cls = path.rpartition(".")
    found = getattr(import_module(f"wfclip.{module}"), cls)
    assert not [name for name in METHODS[path].split() if not callable(getattr(found, name, None))]


def test_every_module_is_an_attribute_of_the_package():
    import wfclip
    names = {p.stem for p in (ROOT / "wfclip").iterdir() if p.suffix == ".py" or p.is_dir() and (p / "__init__.py").exists()}
    names = {name for name in names if not name.startswith("_")}
    assert {"screen", "index", "jobs", "encode", "regress", "files", "energies", "data", "nn"} <= names <= set(dir(wfclip))
    for name in names: assert getattr(wfclip, name) is import_module(f"wfclip.{name}")
    with pytest.raises(AttributeError, match="no_such_name"): wfclip.no_such_name  # noqa: B018


def test_the_public_names_are_those_of_the_design():
    import wfclip
    assert wfclip.__all__ == list(wfclip._MODULE) == PUBLIC[""].split()
