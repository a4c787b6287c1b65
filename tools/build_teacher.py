"""Make lessons for a crystal tower: layers without labels, and what a universal potential makes of their atoms.

    python tools/build_teacher.py layers OUT.npz [-n 24000] [--seed 0]           # needs wfclip
    python tools/build_teacher.py bundled OUT.npz                                # the bundled layers themselves; needs wfclip
    python tools/build_teacher.py sevennet LAYERS.npz OUT.npz [--basis BASIS] [--blocks 3]    # needs sevenn, in an environment of its own
    python tools/build_teacher.py chgnet LAYERS.npz OUT.npz                      # needs chgnet, in an environment of its own
    python tools/build_teacher.py teach FOLDER LESSONS.npz ... [--epochs N] [--start TAUGHT]    # needs wfclip

A layer is drawn by taking a bundled one, giving each of its elements another one at random, scaling the cell by the
covalent radii, straining it by some 3 %, and moving each atom by up to 0.1 Å; nothing is relaxed, and a layer that comes
out with its parent's elements or with atoms on top of each other is drawn anew. Of the lessons that `teach` gets those of
the bundled layers must be the first: in units of their spread all features are measured.

SevenNet-0 (package sevenn, GPL-3.0) gives 128 directions of its 640 scalars and the energy of the site, CHGNet 0.3.0
(package chgnet, modified BSD) 64 features, the energy of the site and the magnetic moment. Neither is needed by the
package: only the numbers that they compute are used. Both store their weights as pickles, so run them where nothing else is.
"""
import argparse
import os

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

METALS = """Li Na K Rb Cs Be Mg Ca Sr Ba Al Ga In Tl Sn Pb Bi Sc Y La Ti Zr Hf V Nb Ta Cr Mo W Mn Re Fe Ru Os Co Rh Ir Ni Pd Pt
Cu Ag Au Zn Cd Hg""".split()
OTHERS = "H B C N O F Si P S Cl Ge As Se Br Sb Te I".split()
RARE = "Ce Pr Nd Sm Eu Gd Tb Dy Ho Er Tm Yb Lu".split()
METAL, OTHER, LANTHANIDE = ([atomic_numbers[s] for s in names] for names in (METALS, OTHERS, RARE))
DIRECTIONS = 128  # of SevenNet's scalars
VACUUM = 15.  # Å, in the cell that a potential sees


def write(out: str, layers: list[tuple]) -> None:
    "Layers as flat arrays: numbers [M], positions [M, 3] and cell [n, 3, 3] in Å, ptr [n + 1]"
    numbers, positions, cell = zip(*layers)
    np.savez_compressed(out, numbers=np.concatenate(numbers).astype(np.uint8), ptr=np.cumsum([0, *map(len, numbers)]),
                        positions=np.concatenate(positions).astype(np.float32), cell=np.stack(cell).astype(np.float32))


def read(path: str):
    "The layers of a file, one after the other, in a cell with vacuum, as ASE's atoms"
    d = np.load(path, allow_pickle=False)
    for a, b, cell in zip(d["ptr"][:-1], d["ptr"][1:], d["cell"].astype(float)):
        p = d["positions"][a:b].astype(float)
        height = np.ptp(p[:, 2]) + VACUUM
        cell[2], cell[:2, 2] = (0, 0, height), 0
        p += [0, 0, height / 2 - (p[:, 2].max() + p[:, 2].min()) / 2]
        yield Atoms(d["numbers"][a:b], positions=p, cell=cell, pbc=True)


def bonds(numbers: np.ndarray, p: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, ...]:
    "Pairs i, j of neighbours within 5 Å, their distances, and the sums of their covalent radii"
    from vesin import NeighborList
    i, j, d = NeighborList(cutoff=5., full_list=True).compute(points=p, box=cell, periodic=[True, True, False], quantities="ijd")
    return i, j, d, covalent_radii[numbers[i]] + covalent_radii[numbers[j]]


def other_elements(numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    "Another element for each one, often of its kind, and sometimes a further one for a single atom"
    kind = lambda z, share: (4 * METAL + LANTHANIDE if z in METAL + LANTHANIDE else OTHER) if rng.random() < share else METAL + OTHER
    other = {z: int(rng.choice(kind(z, .7))) if rng.random() < .87 else z for z in np.unique(numbers)}
    new = np.array([other[z] for z in numbers])
    if rng.random() < .25 and len(numbers) > 1:
        k = rng.integers(len(numbers))
        new[k] = int(rng.choice(kind(new[k], .8)))
    return new


def draw(parent: tuple, rng: np.random.Generator) -> tuple | None:
    "A layer made from another one; None if it is none"
    numbers, p, cell = parent
    new = other_elements(numbers, rng)
    if (new == numbers).all(): return None
    i, j, d, radii = bonds(numbers, p, cell)
    near = d < 1.25 * radii
    if len(numbers) > 1 and not near.any(): return None
    scale = np.mean((covalent_radii[new][i] + covalent_radii[new][j])[near] / radii[near]) if near.any() else 1.
    strain = scale * np.exp((rng.normal(0, .025, 3) + rng.normal(0, .035)) * [1, 1, .6])
    rattle = 0. if rng.random() < .3 else rng.uniform(0, .1)
    cell, p = cell * strain, p * strain + rng.normal(0, 1, p.shape) * rattle
    i, j, d, radii = bonds(new, p, cell)
    return None if (d < .75).any() or (d < .55 * radii).any() else (new, p, cell)


def bundled_layers() -> list[tuple]:
    from wfclip.data.dataset import load_dataset
    return [(layer.numbers, layer.positions, layer.cell) for layer in load_dataset().layers()]


def sevennet(path: str, out: str, basis: str, blocks: list[int]) -> None:
    "SevenNet-0's scalars after these of its five interaction blocks, on principal directions, and its site energies"
    import torch
    from sevenn.atom_graph_data import AtomGraphData
    from sevenn.calculator import SevenNetCalculator
    from sevenn.train.dataload import unlabeled_atoms_to_graph
    torch.set_num_threads(1)
    calculator = SevenNetCalculator("7net-0", device="cpu")
    model, seen, rows, energy = calculator.model.eval(), [], [], []
    for name, module in model._modules.items():
        if name.endswith("equivariant_gate"): module.register_forward_hook(lambda m, i, o: seen.append(o["x"][:, :128].numpy().copy()))
    for atoms in read(path):
        seen.clear()
        graph = model._preprocess(AtomGraphData.from_numpy_dict(unlabeled_atoms_to_graph(atoms, calculator.cutoff)))
        with torch.no_grad():
            for name, module in model._modules.items():
                if name.startswith("rescale"): break
                graph = module(graph)
        rows.append(np.hstack([seen[k - 1] for k in blocks]))
        energy.append(graph["scaled_atomic_energy" if "scaled_atomic_energy" in graph else "atomic_energy"].numpy())
    store(path, out, np.hstack([project(np.concatenate(rows), basis), np.concatenate(energy)]))


def project(x: np.ndarray, basis: str) -> np.ndarray:
    "Scalars on their principal directions, which are found from these and kept in a file if it is not there"
    if not os.path.exists(basis):
        mean, scale = x.mean(0), x.std(0) + 1e-6
        y = np.clip((x - mean) / scale, -6, 6)
        w, v = np.linalg.eigh(np.cov(y.T))
        directions = v[:, ::-1][:, :DIRECTIONS] / w[::-1][:DIRECTIONS] ** .25  # halfway to equal variance
        np.savez(basis, mean=mean, scale=scale, W=directions / np.sqrt((y @ directions).var(0).mean()))
    b = np.load(basis, allow_pickle=False)
    return np.clip((x - b["mean"]) / b["scale"], -6, 6) @ b["W"]


def chgnet(path: str, out: str) -> None:
    "CHGNet 0.3.0's features after the last convolution, its site energies and magnetic moments"
    import torch
    from chgnet.model import CHGNet
    from pymatgen.io.ase import AseAtomsAdaptor
    torch.set_num_threads(1)
    model = CHGNet.load(use_device="cpu", verbose=False)
    structures = [AseAtomsAdaptor.get_structure(atoms) for atoms in read(path)]
    found = model.predict_structure(structures, task="em", return_site_energies=True, return_atom_feas=True, batch_size=16)
    store(path, out, np.concatenate([np.hstack([p["atom_fea"], p["site_energies"][:, None], p["m"][:, None]]) for p in found]))


def store(path: str, out: str, features: np.ndarray) -> None:
    "The layers of a file with features [M, T]"
    with np.load(path, allow_pickle=False) as d: layers = {k: d[k] for k in ("numbers", "positions", "cell", "ptr")}
    most = np.finfo(np.float16).max
    np.savez_compressed(out, **layers, features=np.clip(features, -most, most).astype(np.float16))


def make_layers(out: str, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parents = bundled_layers()
    layers: list[tuple] = []
    while len(layers) < n:
        layer = draw(parents[rng.integers(len(parents))], rng)
        if layer is not None: layers.append(layer)
    write(out, layers)


def teach_tower(folder: str, lessons: list[str], epochs: int, teacher: str, start: str | None) -> None:
    from wfclip.config import WFClipConfig
    from wfclip.data.dataset import load_dataset
    from wfclip.teach import TeachConfig, read_lessons, teach
    found = read_lessons(*lessons)
    print(found)
    teaching = TeachConfig(epochs=epochs, first=len(load_dataset()), **(dict(lr=6e-4, readout=500) if start else {}))
    for record in teach(WFClipConfig(), found, folder, teaching, start, teacher=teacher): print(record)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("layers", "bundled", "sevennet", "chgnet", "teach"))
    parser.add_argument("files", nargs="+", help="as above")
    parser.add_argument("-n", type=int, default=24_000, help="layers to draw")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--basis", default="sevennet-basis.npz", help="file of SevenNet's principal directions; made from the layers at hand if it is not there")
    parser.add_argument("--blocks", type=int, nargs="+", default=[1, 2, 3, 4, 5], help="of SevenNet's interaction blocks")
    parser.add_argument("--epochs", type=int, default=12, help="passes over the lessons")
    parser.add_argument("--start", metavar="TAUGHT", help="folder of a taught tower that goes on with these lessons")
    parser.add_argument("--teacher", default="SevenNet-0", help="who made the lessons")
    a = parser.parse_args()
    if a.what == "layers": make_layers(a.files[0], a.n, a.seed)
    elif a.what == "bundled": write(a.files[0], bundled_layers())
    elif a.what == "sevennet": sevennet(*a.files, a.basis, a.blocks)
    elif a.what == "chgnet": chgnet(*a.files)
    else: teach_tower(a.files[0], a.files[1:], a.epochs, a.teacher, a.start)


if __name__ == "__main__": main()
