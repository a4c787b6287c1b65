"""Build the bundled dataset from its records: python tools/build_dft2d.py RECORDS.jsonl.gz [OUT.safetensors]

Reads one JSON record a line (see nbs/20_data_card.ipynb), checks each and writes the file
that ships inside the wheel. The same records give the same bytes.
"""
import gzip
import json
import sys
from pathlib import Path

import numpy as np
from ase import Atoms

from wfclip.data.format import Entry, write_dataset
from wfclip.data.profile import Profile
from wfclip.data.structure import read_layer

OUT = Path(__file__).parent.parent / "wfclip/data/dft2d.safetensors"


def entry(r: dict) -> Entry:
    "One record as a dataset entry, all energies from the Fermi level."
    ef, z = r["efermi"], np.array(r["positions"])[:, 2]
    layer = read_layer(Atoms(r["symbols"], r["positions"], cell=r["cell"], pbc=[True, True, False]), id=r["id"])
    edges = {k: None if r[k] is None else r[k] - ef for k in ("vbm", "cbm")}
    profile = Profile(z=np.arange(len(r["v"])) * r["dz"] - (z.max() + z.min()) / 2, phi=np.array(r["v"]) - ef,
                      phi_top=r["wf_top"], phi_bottom=r["wf_bottom"], id=r["id"], **edges)
    properties = edges | {k: r[k] for k in ("gap", "energy", "magmom", "fmax")}
    return Entry(layer, profile, r["prototype"], properties, r["density"], r["dos"])


def main(records: str, out: str | Path = OUT) -> None:
    with gzip.open(records, "rt") as f: entries = [entry(json.loads(line)) for line in f]
    entries.sort(key=lambda e: e.layer.id)
    about = dict(license="CC BY 4.0", functional="PBE", code="GPAW 22.8", relaxation="CHGNet 0.3.0")
    write_dataset(out, entries, name="dft2d", **about)
    print(f"{out}: {len(entries)} materials, {Path(out).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3: sys.exit(__doc__)
    main(*sys.argv[1:])
