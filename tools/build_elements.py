"""Build wfclip/nn/elements.csv, the table of element properties behind ElementEmbedding.

    python tools/build_elements.py

pymatgen (MIT licence) gives all columns but the covalent radii, which ASE (LGPL) lists after Cordero et al.
The values are published physical constants; nothing of either library's code is copied. A value that nobody has
measured stays empty: wfclip.nn.elements fills it by a rule that its notebook states.
"""
import csv
import warnings
from importlib.metadata import version
from math import isnan
from pathlib import Path

from ase.data import covalent_radii
from pymatgen.core import Element

OUT = Path(__file__).parents[1]/"wfclip/nn/elements.csv"
HEAD = f"""\
# Element properties, made by tools/build_elements.py from pymatgen {version("pymatgen")} and ase {version("ase")}.
# electronegativity: Pauling scale. atomic_radius, Å: Slater, J. Chem. Phys. 41, 3199 (1964).
# covalent_radius, Å: Cordero et al., Dalton Trans. 2832 (2008), Z up to 96. mendeleev_number: Pettifor,
# Solid State Commun. 51, 31 (1984). ionization_energy (first) and electron_affinity, eV: as collected by pymatgen;
# negative affinities are estimates. Empty: not known.
"""


def row(z: int) -> dict:
    "The properties of element `z`; None where nobody knows."
    e = Element.from_Z(z)
    return dict(
        number=z, symbol=e.symbol, group=e.group, row=e.row,
        block="s" if z == 2 else e.block,                               # pymatgen files helium under its group, 18
        electronegativity=None if isnan(e.X) else float(e.X),
        atomic_radius=e.atomic_radius and float(e.atomic_radius),
        covalent_radius=float(covalent_radii[z]) if z <= 96 else None,  # ASE writes 2.0 where Cordero has none
        ionization_energy=e.ionization_energy if z <= 103 else None,    # beyond: guesses, some of them 50 eV
        electron_affinity=e._data.get("Electron affinity"),
        mendeleev_number=e.mendeleev_no and int(e.mendeleev_no))


if __name__ == "__main__":
    with warnings.catch_warnings(), OUT.open("w", newline="", encoding="utf-8") as f:
        warnings.simplefilter("ignore")                                 # pymatgen warns at each missing value
        rows = [row(z) for z in range(1, 119)]
        f.write(HEAD)
        table = csv.DictWriter(f, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
