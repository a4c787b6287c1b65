"""Build the bundled dataset from its records: python tools/build_dft2d.py RECORDS.jsonl.gz [OUT.safetensors]

Reads one JSON record a line (see nbs/20_data_card.ipynb), checks each and writes the file that ships inside the wheel.
A record whose numbers contradict each other is left out and named. The same records give the same bytes.
"""
import gzip
import json
import sys
from pathlib import Path

import numpy as np
from ase import Atoms

from wfclip.data.format import Entry, write_dataset
from wfclip.data.layer import StructureError
from wfclip.data.profile import Profile
from wfclip.data.structure import read_layer

OUT = Path(__file__).parent.parent / "wfclip/data/dft2d.safetensors"
ROUNDING = 2e-4  # eV, of the records' energies
DEEPEST, HIGHEST = -16.0, 3.0  # eV from the vacuum: no edge of a layer lies beyond these


def fault(r: dict) -> str:
    "What is wrong with the energies of a record; empty if nothing."
    ef, vbm, cbm, gap = (r[k] for k in ("efermi", "vbm", "cbm", "gap"))
    if any(abs(r[f"evac_{side}"] - ef - r[f"wf_{side}"]) > ROUNDING for side in ("top", "bottom")):
        return "its work functions are not its vacuum levels less E_F"
    if vbm is None and cbm is None: return "" if gap == 0 else "a gap without band edges"
    if vbm is None or cbm is None: return "one band edge without the other"
    if abs(cbm - vbm - gap) > ROUNDING or gap <= 0: return f"a gap of {gap} eV and edges that are {cbm - vbm:.4f} eV apart"
    if not vbm < ef < cbm: return f"E_F at {ef} eV outside its gap, from {vbm} to {cbm} eV"
    if abs(ef - (vbm + cbm) / 2) > ROUNDING: return f"E_F at {ef} eV, not in the middle of its gap, from {vbm} to {cbm} eV"
    vacuum = (r["evac_top"] + r["evac_bottom"]) / 2
    if not DEEPEST < vbm - vacuum < 0: return f"a valence band maximum {vbm - vacuum:.2f} eV from the vacuum"
    if not cbm - vacuum < HIGHEST: return f"a conduction band minimum {cbm - vacuum:.2f} eV from the vacuum"
    return ""


def entry(r: dict) -> Entry:
    "One record as a dataset entry, all energies from the Fermi level."
    ef, z = r["efermi"], np.array(r["positions"])[:, 2]
    layer = read_layer(Atoms(r["symbols"], r["positions"], cell=r["cell"], pbc=[True, True, False]), id=r["id"])
    if np.abs(np.linalg.norm(layer.cell[:2], axis=1) - np.linalg.norm(r["cell"], axis=1)[:2]).max() > 1e-6:
        raise ValueError(f"{r['id']}: reading it changed its cell vectors, to which its mesh of k-points belongs.")
    edges = {k: None if r[k] is None else r[k] - ef for k in ("vbm", "cbm")}
    profile = Profile(z=np.arange(len(r["v"])) * r["dz"] - (z.max() + z.min()) / 2, phi=np.array(r["v"]) - ef,
                      phi_top=r["wf_top"], phi_bottom=r["wf_bottom"], id=r["id"], **edges)
    properties = edges | {k: r[k] for k in ("gap", "energy", "magmom", "fmax")} | dict(zip(("mesh_a", "mesh_b"), r["mesh"]))
    return Entry(layer, profile, r["prototype"], properties, r["density"], r["dos"])


def doubt(r: dict) -> str:
    "What is doubtful about a sound record; empty if nothing."
    own, vbm, cbm = (r[k] for k in ("efermi_dft", "vbm", "cbm"))
    return f"the code's E_F, {own} eV, is outside its gap, {vbm} to {cbm} eV" if r["gap"] and not vbm <= own <= cbm else ""


def main(records: str, out: str | Path = OUT) -> None:
    with gzip.open(records, "rt") as f: found = [json.loads(line) for line in f]
    entries = []
    for r in sorted(found, key=lambda r: r["id"]):
        why = fault(r)
        try:
            if not why: entries.append(entry(r))
        except StructureError as e: why = e.problem
        name = f"{r['id']}, {r['formula']} ({r['prototype']})"
        if why: print(f"left out {name}: {why}")
        elif doubt(r): print(f"doubtful {name}: {doubt(r)}")
    about = dict(license="CC BY 4.0", functional="PBE", code="GPAW 22.8", relaxation="CHGNet 0.3.0")
    write_dataset(out, entries, name="dft2d", **about)
    print(f"{out}: {len(entries)} materials, {Path(out).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3: sys.exit(__doc__)
    main(*sys.argv[1:])
