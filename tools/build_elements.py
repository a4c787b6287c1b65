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
# negative affinities are estimates. level_s to level_d, eV: highest occupied atomic level of that kind, core levels
# included, in the local density approximation (Kotochigova et al., Phys. Rev. A 55, 191 (1997), Z up to 92).
# electrons_s to electrons_f: valence electrons of the free atom. Empty: not known.
"""


HARTREE = 27.211386  # eV


def levels(e: Element) -> dict:
    "The highest occupied atomic level of each kind, eV"
    orbitals = e._data.get("Atomic orbitals") or {}
    occupied = {l: [v for name, v in orbitals.items() if name[-1] == l] for l in "spd"}
    return {f"level_{l}": round(max(v) * HARTREE, 3) if v else None for l, v in occupied.items()}


def valence_electrons(e: Element) -> dict:
    "Electrons outside of closed inner shells: the last s and p shell, an open or adjacent d shell, an open f shell"
    if e.Z > 103: return {f"electrons_{l}": None for l in "spdf"}       # pymatgen knows no configuration
    count, shells = dict.fromkeys("spdf", 0), e.full_electronic_structure
    last = max(n for n, l, _ in shells if l == "s")
    for n, l, electrons in shells:
        if n == last or l == "d" and n == last - 1 and e.group <= 12 or l == "f" and n == last - 2 and e.block == "f":
            count[l] += electrons
    return {f"electrons_{l}": k for l, k in count.items()}


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
        mendeleev_number=e.mendeleev_no and int(e.mendeleev_no), **levels(e), **valence_electrons(e))


if __name__ == "__main__":
    with warnings.catch_warnings(), OUT.open("w", newline="", encoding="utf-8") as f:
        warnings.simplefilter("ignore")                                 # pymatgen warns at each missing value
        rows = [row(z) for z in range(1, 119)]
        f.write(HEAD)
        table = csv.DictWriter(f, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
