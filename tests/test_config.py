"""Every field of a configuration changes what it says: a field that nothing reads is found here, as is one without a test."""
import json
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small import CONFIG

from wfclip.config import TrainConfig, WFClipConfig
from wfclip.data.dataset import WorkFunctionDataset, load_dataset
from wfclip.data.format import Entry, write_dataset
from wfclip.nn.clip import WFClip
from wfclip.train import Feed, Trainer, read_metrics, read_run, train, train_step

CPU = torch.device("cpu")
OURS, PAPER = WFClipConfig(**CONFIG), WFClipConfig.paper(**CONFIG)
RECIPE = TrainConfig(epochs=2, batch_size=16, lr=1e-3, precision="float32", start="random")

# field: the preset it is tried in, another value, what that must change
MODEL = dict(
    dim=(OURS, 64, "parameters"), atom_dim=(OURS, 24, "parameters"), cutoff=(PAPER, 6., "graphs"),
    n_gaussians=(OURS, 8, "parameters"), n_gates=(OURS, 3, "parameters"), gate_bias=(OURS, -1., "parameters"),
    n_blocks=(OURS, 1, "parameters"), n_heads=(OURS, 2, "parameters"), k_neighbors=(PAPER, 5, "graphs"),
    moments=(OURS, 8, "parameters"), channels=(OURS, 8, "parameters"), profile_length=(OURS, 80, "targets"),
    profile_spacing=(OURS, 0.3, "targets"), n_dos=(OURS, 100, "targets"), descriptors=(OURS, False, "parameters"),
    all_images=(OURS, False, "embedding"), smooth_cutoff=(OURS, False, "embedding"),
    periodic_attention=(OURS, False, "embedding"), vectors=(OURS, False, "parameters"),
    pooling=(OURS, "sum", "embedding"), smooth_geometry=(OURS, False, "graphs"), flip=(OURS, False, "loss"),
    contrast=(OURS, False, "loss"), joint=(OURS, False, "parameters"), joint_weight=(OURS, 1., "loss"),
    midgap=(OURS, False, "loss"))
# field: another value, and whether the split changes
TRAINING = dict(
    epochs=(3, False), batch_size=(32, False), batches=("exact", False), lr=(1e-4, False), weight_decay=(0.5, False),
    split=("random", True), fold=(2, True),
    fraction=(0.5, True), seed=(43, True), member=(1, False), precision=("bfloat16", False), start=("RUN", False))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> WorkFunctionDataset:
    "Some of the bundled materials, without densities of states, so that any number of bins can be asked for"
    bundled = load_dataset()
    path = tmp_path_factory.mktemp("data") / "small.safetensors"
    edges = lambda i: {k: float(bundled.properties[k][i]) for k in ("vbm", "cbm", "gap")}
    write_dataset(path, [Entry(bundled.layer(i), bundled.profile(i), properties=edges(i)) for i in range(0, len(bundled), len(bundled) // 60)])
    return load_dataset(path)


def effects(config: WFClipConfig, data: WorkFunctionDataset) -> dict[str, dict]:
    "What a configuration can have an effect on, each as tensors by name"
    trainer = Trainer(config, RECIPE, data, data.split(), CPU)
    index = np.arange(12)
    batch, _, target = trainer.feed.take(index)
    with torch.no_grad(): z = trainer.model.eval().crystal(batch)
    parameters = trainer.weights()
    loss = train_step(trainer, index, torch.arange(12) % 2 == 0, 0.)
    graphs = dict(dist=batch.edge_dist) | ({} if batch.extra is None else dict(extra=batch.extra))
    return dict(parameters=parameters, graphs=graphs, targets=target, embedding=dict(z=z), loss=dict(loss=loss))


def differ(a: dict, b: dict) -> bool:
    "Whether tensors differ in name, shape or value"
    same = lambda x, y: x.shape == y.shape and torch.equal(x.nan_to_num(), y.nan_to_num())
    return a.keys() != b.keys() or not all(same(a[k], b[k]) for k in a)


@pytest.mark.parametrize("name", [f.name for f in fields(WFClipConfig)])
def test_each_field_of_a_model_changes_what_it_says(name, data):
    base, value, what = MODEL[name]
    assert value != getattr(base, name)
    before, after = effects(base, data), effects(replace(base, **{name: value}), data)
    assert differ(before[what], after[what])
    for kind in ("graphs", "targets"):  # of other fields they are independent
        if name not in ("cutoff", "k_neighbors", "smooth_geometry", "profile_length", "profile_spacing", "n_dos"):
            assert not differ(before[kind], after[kind])


def test_the_same_configuration_changes_nothing(data):
    one, two = effects(OURS, data), effects(replace(OURS), data)
    assert not any(differ(one[kind], two[kind]) for kind in one)


def test_graphs_and_targets_have_what_the_configuration_says(data):
    batch = lambda config: Feed(data, config, CPU).take(np.arange(12))
    assert batch(replace(PAPER, cutoff=6.))[0].edge_dist.max() <= 6 < batch(PAPER)[0].edge_dist.max()
    assert batch(replace(OURS, cutoff=10.))[0].edge_dist.max() > 9.5
    assert batch(replace(PAPER, k_neighbors=5))[0].extra.shape[1] == 3 * 25
    assert batch(replace(OURS, n_dos=100))[2]["dos"].shape == (12, 100)


def test_data_with_another_number_of_bins_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="260 bins and the model asks for 100; set n_dos=260"):
        Feed(load_dataset(), replace(OURS, n_dos=100), CPU)


@pytest.mark.parametrize("name", [f.name for f in fields(TrainConfig)])
def test_each_field_of_a_recipe_changes_the_run(name, data, run, tmp_path):
    value, other_split = TRAINING[name]
    recipe = replace(RECIPE, **{name: str(run) if name == "start" else value})
    other = train(OURS, data, tmp_path / "run", recipe, device="cpu", progress=False)
    assert differ(load_file(run / "last/state.safetensors"), load_file(other / "last/state.safetensors"))
    assert ((run / "split.json").read_text(encoding="utf-8") != (other / "split.json").read_text(encoding="utf-8")) == other_split
    assert read_metrics(other)[-1]["epoch"] == recipe.epochs
    assert read_run(other, data)[1] == recipe


@pytest.fixture(scope="module")
def run(data, tmp_path_factory) -> Path:
    "A run as of RECIPE"
    return train(OURS, data, tmp_path_factory.mktemp("run") / "run", RECIPE, device="cpu", progress=False)


def test_a_configuration_of_before_is_read(run, data, tmp_path):
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    config["model"]["heads"] = config["model"].pop("n_heads")
    assert config["training"].pop("batches") == "equal"
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for name in ("split.json", "model.safetensors"): (tmp_path / name).write_bytes((run / name).read_bytes())
    assert read_run(tmp_path, data)[0] == WFClip.from_pretrained(tmp_path).config == OURS
    assert read_run(tmp_path, data)[1] == RECIPE
    assert "heads" not in asdict(OURS)
