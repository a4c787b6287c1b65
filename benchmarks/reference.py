"""The published method, written plainly: what the benchmarks compare wfclip with.

It has the sizes of `WFClipConfig.paper()` and its readings of what the published text leaves open, in float32. The loader
computes the features of a structure each time it is asked for:
minimum-image distances of all pairs, their Gaussian expansion, the 363 local distances and angles, the resampled profile. A batch
is padded: atoms [B, T], edges [B, T, T, 12]. A gate multiplies [h_i, h_j, e_ij], concatenated, by one matrix. Nothing is slow on
purpose: numpy computes a structure at once, and the local geometry is wfclip's own function, the fastest known to us and the only
one whose order of neighbours does not depend on rounding. With equal weights, loss and gradients are those of
`WFClip(WFClipConfig.paper())`: tests/test_reference.py.
"""
import math
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from e3nn import o3
from torch import nn
from torch.nn.functional import cross_entropy, normalize, softplus
from torch.utils.data import DataLoader, Dataset

from wfclip.config import WFClipConfig
from wfclip.data.dataset import WorkFunctionDataset
from wfclip.data.geometry import local_geometry
from wfclip.data.layer import Layer
from wfclip.nn.clip import WFClip

PAPER = WFClipConfig.paper()


def minimum_image(layer: Layer) -> np.ndarray:
    "Distances [n, n] of all pairs of atoms, each to the nearest periodic image in the plane, Å."
    apart = layer.positions - layer.positions[:, None]
    steps = np.rint(apart @ np.linalg.inv(layer.cell))[..., :2]
    around = np.array(list(product((-1, 0, 1), repeat=2))) @ layer.cell[:2]
    images = (apart - steps @ layer.cell[:2])[:, :, None] + around
    return np.sqrt((images**2).sum(-1).min(-1))


class Crystals(NamedTuple):
    "A padded batch; for a single structure without the first dimension."
    numbers: torch.Tensor  # atomic numbers [B, T], 0 where there is no atom
    edges: torch.Tensor  # expanded distances [B, T, T, 12], 0 beyond the cutoff
    neighbors: torch.Tensor  # whether two different atoms are within the cutoff [B, T, T]
    extra: torch.Tensor  # local distances and angles [B, T, 363]

    def to(self, device) -> "Crystals": return Crystals(*(t.to(device, non_blocking=True) for t in self))


def featurise(layer: Layer, config: WFClipConfig = PAPER) -> Crystals:
    "The features of a structure."
    distance, centers = minimum_image(layer), np.linspace(0, config.cutoff, config.n_gaussians)
    near = distance <= config.cutoff
    edges = np.exp(-((distance[..., None] - centers) / centers[1])**2) * near[..., None]
    np.fill_diagonal(near, False)
    extra = local_geometry(layer, config.k_neighbors)
    return Crystals(*map(torch.from_numpy, (layer.numbers, edges.astype(np.float32), near, extra)))


class Pairs(Dataset):
    "Structures with their profiles, computed when asked for."

    def __init__(self, data: WorkFunctionDataset, index: Sequence[int] | np.ndarray, config: WFClipConfig = PAPER):
        self.data, self.index, self.config = data, index, config

    def __len__(self): return len(self.index)

    def __getitem__(self, k: int) -> tuple[Crystals, torch.Tensor]:
        i, c = int(self.index[k]), self.config
        phi = self.data.profile(i).resample(c.profile_length, c.profile_spacing).phi
        return featurise(self.data.layer(i), c), torch.from_numpy(phi.astype(np.float32))


def pad(pairs: list[tuple[Crystals, torch.Tensor]]) -> tuple[Crystals, torch.Tensor]:
    "A batch: crystals of T atoms at most, and profiles [B, L]."
    crystals, B = [c for c, _ in pairs], len(pairs)
    T = max(len(c.numbers) for c in crystals)
    numbers, extra = torch.zeros(B, T, dtype=torch.long), torch.zeros(B, T, crystals[0].extra.shape[1])
    edges, neighbors = torch.zeros(B, T, T, crystals[0].edges.shape[2]), torch.zeros(B, T, T, dtype=torch.bool)
    for b, c in enumerate(crystals):
        n = len(c.numbers)
        numbers[b, :n], edges[b, :n, :n], neighbors[b, :n, :n], extra[b, :n] = c
    return Crystals(numbers, edges, neighbors, extra), torch.stack([phi for _, phi in pairs])


class GatedConv(nn.Module):
    "h_i + softplus(sum_j sigmoid(gate_ij) softplus(core_ij)), gate and core being halves of W [h_i, h_j, e_ij] + b."

    def __init__(self, dim: int, edge_dim: int):
        super().__init__()
        self.linear = nn.Linear(2 * dim + edge_dim, 2 * dim)

    def forward(self, h: torch.Tensor, edges: torch.Tensor, neighbors: torch.Tensor) -> torch.Tensor:
        T = h.shape[1]
        pair = torch.cat([h[:, :, None].expand(-1, -1, T, -1), h[:, None].expand(-1, T, -1, -1), edges], -1)
        gate, core = self.linear(pair).chunk(2, -1)
        message = gate.sigmoid() * softplus(core) * neighbors[..., None]
        return h + softplus(message.sum(2))


class Attention(nn.Module):
    "Multi-head attention with a bias of the pair inside the softmax."

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, h: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        B, T, D = h.shape
        q, k, v = self.qkv(h).view(B, T, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        alpha = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + bias).softmax(-1)
        return self.out((alpha @ v).transpose(1, 2).reshape(B, T, D))


class Block(nn.Module):
    "Pre-norm Transformer block; the bias is a small network of the expanded distance."

    def __init__(self, c: WFClipConfig):
        super().__init__()
        self.phi = nn.Sequential(nn.Linear(c.n_gaussians, 32), nn.SiLU(), nn.Linear(32, c.n_heads))
        self.norm1, self.norm2, self.attention = nn.LayerNorm(c.dim), nn.LayerNorm(c.dim), Attention(c.dim, c.n_heads)
        self.mlp = nn.Sequential(nn.Linear(c.dim, 4 * c.dim), nn.GELU(), nn.Linear(4 * c.dim, c.dim))

    def forward(self, h: torch.Tensor, edges: torch.Tensor, atoms: torch.Tensor) -> torch.Tensor:
        bias = self.phi(edges).permute(0, 3, 1, 2).masked_fill(~atoms[:, None, None, :], -torch.inf)
        h = h + self.attention(self.norm1(h), bias)
        return h + self.mlp(self.norm2(h))


class Pooling(nn.Module):
    "Linear layers of e3nn on 128x0e and on 128x0e + 128x1o, then the sum over atoms."

    def __init__(self, dim: int):
        super().__init__()
        n = self.n = dim // 3
        self.project = nn.Linear(dim, 5 * n)
        self.scalar, self.mixed = o3.Linear(f"{n}x0e", f"{n}x0e"), o3.Linear(f"{n}x0e + {n}x1o", f"{2 * n}x0e")

    def forward(self, h: torch.Tensor, atoms: torch.Tensor) -> torch.Tensor:
        a, b = self.project(h).split([self.n, 4 * self.n], dim=-1)
        return (torch.cat([self.scalar(a), self.mixed(b)], -1) * atoms[..., None]).sum(1)


class CrystalEncoder(nn.Module):
    def __init__(self, c: WFClipConfig):
        super().__init__()
        self.embed = nn.Embedding(119, c.atom_dim)
        self.gates = nn.ModuleList(GatedConv(c.atom_dim, c.n_gaussians) for _ in range(c.n_gates))
        self.fuse = nn.Linear(c.atom_dim + 3 * c.k_neighbors**2, c.dim)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.n_blocks))
        self.norm, self.pool = nn.LayerNorm(c.dim), Pooling(c.dim)

    def forward(self, x: Crystals) -> torch.Tensor:
        atoms, h = x.numbers > 0, self.embed(x.numbers)
        for gate in self.gates: h = gate(h, x.edges, x.neighbors)
        h = self.fuse(torch.cat([h, x.extra], -1))
        for block in self.blocks: h = block(h, x.edges, atoms)
        return self.pool(self.norm(h), atoms)


def conv(n_in: int, n_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(n_in, n_out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm1d(n_out))


class Residual(nn.Module):
    def __init__(self, n_in: int, n_out: int, stride: int):
        super().__init__()
        self.f = nn.Sequential(conv(n_in, n_out, 3, stride), nn.ReLU(), conv(n_out, n_out, 3))
        self.shortcut = conv(n_in, n_out, 1, stride) if n_in != n_out else nn.Identity()

    def forward(self, w: torch.Tensor) -> torch.Tensor: return torch.relu(self.f(w) + self.shortcut(w))


class ProfileEncoder(nn.Module):
    "The residual network of 18 layers, in one dimension."

    def __init__(self, dim: int):
        super().__init__()
        self.stem = nn.Sequential(conv(1, 64, 7, 2), nn.ReLU(), nn.MaxPool1d(3, 2, 1))
        stages = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]
        self.stages = nn.Sequential(*(nn.Sequential(Residual(i, o, s), Residual(o, o, 1)) for i, o, s in stages))
        self.head = nn.Linear(512, dim)

    def forward(self, profiles: torch.Tensor) -> torch.Tensor:
        return self.head(self.stages(self.stem(profiles[:, None])).mean(2))


class Reference(nn.Module):
    "Both towers, their linear heads and the temperature."

    def __init__(self, config: WFClipConfig = PAPER):
        super().__init__()
        self.config = config
        self.crystal, self.profile = CrystalEncoder(config), ProfileEncoder(config.dim)
        self.crystal_head, self.profile_head = nn.Linear(config.dim, config.dim), nn.Linear(config.dim, config.dim)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(0.07)))

    def forward(self, crystals: Crystals, profiles: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        "Embeddings of crystals and of profiles, each [B, D] and of unit length."
        return (normalize(self.crystal_head(self.crystal(crystals)), dim=1),
                normalize(self.profile_head(self.profile(profiles)), dim=1))

    def loss(self, p_cry: torch.Tensor, p_prof: torch.Tensor) -> torch.Tensor:
        "Symmetric cross-entropy, with the scale 1/tau kept between 1 and 100."
        logits = self.log_scale.clamp(0, math.log(100)).exp() * p_prof @ p_cry.T
        target = torch.arange(len(logits), device=logits.device)
        return (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2


def make_loader(data: WorkFunctionDataset, index: Sequence[int] | np.ndarray, config: WFClipConfig = PAPER, **how) -> DataLoader:
    "A loader of these materials; `how` is what DataLoader understands."
    return DataLoader(Pairs(data, index, config), collate_fn=pad, **how)


def training_step(model: Reference, optimizer: torch.optim.Optimizer, crystals: Crystals, profiles: torch.Tensor) -> torch.Tensor:
    "One step; the loss, before it."
    loss = model.loss(*model(crystals, profiles))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def make_optimizer(model: Reference, steps: int, lr: float = 1e-4):
    "AdamW, and cosine annealing over so many steps."
    optimizer = torch.optim.AdamW(model.parameters(), lr)
    return optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)


def train_epoch(model: Reference, loader: DataLoader, optimizer, schedule) -> float:
    "Train on all batches of a loader; the mean loss."
    device, losses = next(model.parameters()).device, []
    for crystals, profiles in loader:
        losses.append(training_step(model.train(), optimizer, crystals.to(device), profiles.to(device)))
        schedule.step()
    return float(torch.stack(losses).mean())


def copy_weights(model: Reference, source: WFClip) -> Reference:
    "Give the reference the weights of a paper preset."
    state = source.state_dict()
    move = lambda new, *old: state.update({new: torch.cat([state.pop(name) for name in old]) if old[1:] else state.pop(old[0])})
    for gate, part in product([f"crystal.gates.{k}" for k in range(len(model.crystal.gates))], ("weight", "bias")):
        move(f"{gate}.linear.{part}", f"{gate}.gate.{part}", f"{gate}.core.{part}")
    for name in [k for k in state if k.startswith("crystal.biases.")]: move(name.replace("biases", "blocks"), name)
    move("crystal.embed.weight", "crystal.embed.free.weight")
    move("log_scale", "temperature.log_scale")
    model.load_state_dict(state)
    return model
