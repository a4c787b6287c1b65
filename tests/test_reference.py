"""The reference of the benchmarks is the paper preset: equal weights give equal losses, embeddings and gradients."""
import copy
import sys
from functools import cache

import numpy as np
import pytest
import torch
from project import ROOT, python

sys.path.append(str(ROOT / "benchmarks"))
from reference import Reference, copy_weights, featurise, make_loader, make_optimizer, minimum_image, train_epoch

from wfclip.config import WFClipConfig
from wfclip.data.dataset import load_dataset
from wfclip.data.graph import collate, graph_arrays
from wfclip.data.neighbors import neighbor_list
from wfclip.nn.clip import WFClip
from wfclip.train import _autocast

DATA = load_dataset()
SIZES = np.diff(DATA.arrays["atom_ptr"])
INDEX = np.concatenate([np.flatnonzero(SIZES == n)[:4] for n in (1, 2, 3, 4, 6, 8, 10)])  # from 1 to 10 atoms


def configuration(length: int) -> WFClipConfig:
    return WFClipConfig.paper(profile_length=length, profile_spacing=30 / length)


@cache
def pair(length: int) -> tuple[WFClip, Reference]:
    "Both models, with weights as they are after some steps rather than at the start"
    torch.manual_seed(0)
    ours = WFClip(configuration(length))
    with torch.no_grad():
        for p in ours.parameters():
            if p.dim() == 1: p.add_(.1 * torch.randn_like(p))
    return ours, copy_weights(Reference(configuration(length)), ours)


def batches(length: int):
    "The batch of INDEX as each of the two makes it"
    c = configuration(length)
    graphs = collate([graph_arrays(DATA.layer(i), geometry=True) for i in INDEX])
    crystals, profiles = next(iter(make_loader(DATA, INDEX, c, batch_size=len(INDEX))))
    assert torch.equal(profiles, DATA.profiles(c.profile_length, c.profile_spacing)[INDEX])
    return graphs, crystals, profiles


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    "Largest difference, in units of the largest value"
    return ((a - b).abs().max() / b.abs().max()).item()


def test_sizes_are_the_papers():
    assert configuration(448) == WFClipConfig.paper()
    count = lambda model: sum(p.numel() for p in model.parameters())
    assert count(pair(448)[0]) == count(pair(448)[1])


def test_distances_are_minimum_images():
    for i in INDEX:
        src, dst, _, dist = neighbor_list(DATA.layer(i), 20.)
        shortest = np.full((SIZES[i], SIZES[i]), np.inf)
        np.minimum.at(shortest, (dst, src), dist)
        np.fill_diagonal(shortest, 0)
        assert np.abs(shortest - minimum_image(DATA.layer(i))).max() < 1e-9


@pytest.mark.parametrize("length", [448, 256])
def test_loss_and_embeddings_agree(length):
    (ours, reference), (graphs, crystals, profiles) = pair(length), batches(length)
    for model in (ours, reference): model.train()
    out, (p_cry, p_prof) = ours(graphs, profiles), reference(crystals, profiles)
    assert distance(ours.loss(out, {})[0], reference.loss(p_cry, p_prof)) < 1e-5
    assert distance(out.p_cry, p_cry) < 1e-5 and distance(out.p_prof, p_prof) < 1e-4
    running = (m.profile.get_buffer("stages.3.1.f.2.1.running_var") for m in (ours, reference))
    assert distance(*running) < 1e-4


def test_gradients_agree():
    (ours, reference), (graphs, crystals, profiles) = pair(448), batches(448)
    for model in (ours, reference): model.train().zero_grad()
    ours.loss(ours(graphs, profiles), {})[0].backward()
    reference.loss(*reference(crystals, profiles)).backward()
    gradients = lambda m: {k: torch.zeros_like(p) if p.grad is None else p.grad for k, p in m.named_parameters()}
    named, theirs = gradients(ours), gradients(reference)
    gate = torch.cat([named[f"crystal.gates.0.{half}.weight"] for half in ("gate", "core")])
    assert distance(gate, theirs["crystal.gates.0.linear.weight"]) < 1e-4
    assert distance(named["crystal.embed.free.weight"], theirs["crystal.embed.weight"]) < 1e-4
    assert distance(named["crystal.biases.1.phi.0.weight"], theirs["crystal.blocks.1.phi.0.weight"]) < 1e-4
    assert distance(named["temperature.log_scale"], theirs["log_scale"]) < 1e-4
    shared = [k for k in named if k in theirs and not k.startswith("profile.")]
    assert len(shared) > 30
    assert max(distance(named[k], theirs[k]) for k in shared if theirs[k].abs().max() > 1e-6) < 1e-4


def test_gradients_of_the_profile_tower_agree():
    "In float64: the two round differently, and in float32 a ReLU now and then opens for one of them only"
    ours, reference = (copy.deepcopy(m.profile).double().train() for m in pair(448))
    profiles = batches(448)[2].double()
    weight = torch.randn(len(profiles), 384, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    gradients = [torch.autograd.grad((m(profiles) * weight).sum(), list(m.parameters())) for m in (ours, reference)]
    assert max(map(distance, *gradients)) < 1e-10


def test_padding_does_not_matter():
    reference, (_, crystals, profiles) = pair(448)[1].eval(), batches(448)
    together = reference(crystals, profiles)
    for k, i in enumerate(INDEX):
        alone = next(iter(make_loader(DATA, [i])))
        for a, b in zip(reference(*alone), together): assert distance(a[0], b[k]) < 1e-5


def test_features_are_those_of_the_structure_alone():
    layer = DATA.layer(INDEX[-1])
    again = featurise(layer)
    assert again.edges.shape == (10, 10, 12) and not again.neighbors.diagonal().any()
    assert torch.equal(again.edges, again.edges.transpose(0, 1)) and torch.equal(again.neighbors, again.neighbors.T)


def test_it_learns():
    torch.manual_seed(0)
    c = configuration(64)
    model, loader = Reference(c), make_loader(DATA, INDEX, c, batch_size=14)
    state = make_optimizer(model, 24, 3e-4)
    losses = [train_epoch(model, loader, *state) for _ in range(12)]
    assert losses[-1] < .8 * losses[0]


def test_the_benchmark_runs():
    with _autocast("auto", torch.device("cpu")): fast = torch.is_autocast_enabled("cpu")
    jobs = ("structure", "parts") if fast else ("structure",)  # where bfloat16 is emulated, the parts take minutes
    said = python(ROOT / "benchmarks/speed.py", "--jobs", *jobs, "--repeats", 1, "--threads", 1, OMP_NUM_THREADS="1")
    rows = [line.strip("| ").split(" | ") for line in said.splitlines() if line.startswith("| ")][1:]
    assert sum(row[0].startswith(("structure to tensors", "64 structures")) for row in rows) == 10
    assert all(float(row[3].split()[0]) > 0 for row in rows)
