"""Good files, ways to damage them, and what a reader may answer. As a script: damaged files, read one by one.

    python tests/damage.py CASES FIRST FORMAT...

prints a line of JSON for each format: how many were read, how many refused, the slowest, the memory. The first file
that is answered in any other way ends it, with its number, which brings it back: `damage.py 1 NUMBER FORMAT`.
"""
import bz2
import faulthandler
import gzip
import json
import lzma
import re
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from project import ROOT

BOHR = 0.529177210544  # Å
quick = settings(max_examples=40, deadline=None, derandomize=True,
                 suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
garbage = st.binary(max_size=200) | st.text(max_size=200).map(str.encode)
CIF, XYZ = ((ROOT / "tests/files" / name).read_bytes() for name in ("WSSe.cif", "WSSe.extxyz"))
POSCAR = (b"WSSe\n1.0\n3.25 0 0\n-1.625 2.8146 0\n0 0 18.25\nW S Se\n1 1 1\nCartesian\n"
          b"0 0 9.1\n1.6 .9 10.7\n1.6 .9 7.5\n")


@st.composite
def damaged(draw, good: bytes):
    "A good file with a part replaced, cut out, doubled, or its end lost"
    i, j = sorted(draw(st.tuples(st.integers(0, len(good)), st.integers(0, len(good)))))
    j = min(j, i + draw(st.sampled_from([1, 3, 20, len(good)])))
    new = draw(st.one_of(st.just(b""), st.just(2 * good[i:j]), st.binary(max_size=4), st.sampled_from(
        [b"-1", b"nan", b"inf", b"1e300", b"\n", b" ", b"0"])))
    return good[:i] + new + draw(st.sampled_from([good[j:], b""]))


# files of each format: the one that is read, what stands beside it, and options

def thinned(path: Path, first_fastest: bool) -> bytes:
    "A LOCPOT or cube of every tenth column of the grid"
    from wfclip.data.grid import Stream, cube_header, locpot_header
    with Stream(path) as stream:
        shape = (locpot_header if first_fastest else cube_header)(stream).shape
        values = np.array(stream.read(10**9).split(), float).reshape(shape, order="F" if first_fastest else "C")
    head = gzip.decompress(path.read_bytes()).decode().splitlines()
    values = values[::10, ::10]
    numbers = "\n".join("".join(f" {x:.6E}" for x in row) for row in
                        values.ravel(order="F" if first_fastest else "C").reshape(-1, 4))
    if first_fastest: return "\n".join([*head[:11], "", " ".join(map(str, values.shape)), numbers]).encode()
    for k in (3, 4):  # fewer points, larger steps: the same cell
        n, *step = head[k].split()
        head[k] = f"{values.shape[k - 3]} " + " ".join(str(float(x) * int(n) / values.shape[k - 3]) for x in step)
    return "\n".join([*head[:6 + int(head[2].split()[0])], numbers]).encode()


def case(name: str) -> bytes: return (ROOT / "tests/files/calculations" / name).read_bytes()


def np_text(columns: np.ndarray) -> bytes: return "\n".join(" ".join(f"{x:12.6f}" for x in row) for row in columns.T).encode()


def hdf5_bytes(dtype: object = object) -> bytes:
    "A small vaspout.h5, with elements of any length or of a fixed one (on a damaged heap of the former HDF5 itself may not end)"
    import h5py
    z = np.arange(60) * 0.3
    with tempfile.NamedTemporaryFile(suffix=".h5") as file:
        with h5py.File(file.name, "w") as f:
            g = f.create_group("results/positions")
            g["ion_types"], g["number_ion_types"], g["scale"], g["direct_coordinates"] = np.array([b"W ", b"S "], dtype), [1, 2], 1.0, 1
            g["lattice_vectors"] = [[3.2, 0, 0], [-1.6, 2.7713, 0], [0, 0, 18]]
            g["position_ions"] = [[0, 0, .5], [1 / 3, 2 / 3, .59], [1 / 3, 2 / 3, .41]]
            for name in ("hartree", "ionic"):
                v = 3 - 20 * np.exp(-(z - 9)**2 / 2)
                f[f"results/potential/{name}"] = np.tile(v[None, :, None, None], (1, 1, 3, 3))
            f["results/electron_dos/efermi"] = -0.5
        return Path(file.name).read_bytes()


def database_bytes() -> bytes:
    "An ASE database with two potentials and a row without"
    from ase import Atoms
    from ase.db import connect
    z = np.arange(1, 101) / 100
    cell = [[3.2, 0, 0], [-1.6, 2.77, 0], [0, 0, 18]]
    atoms = Atoms("WS2", [[0, 0, 9], [1.6, .92, 10.6], [1.6, .92, 7.4]], cell=cell, pbc=True)
    with tempfile.TemporaryDirectory() as folder:
        with connect(path := Path(folder, "x.db")) as db:
            v = 3 - 20 * np.exp(-(18 * z - 9)**2 / 2)
            db.write(atoms, data={"work_func": np.column_stack([z, v])}, efermi_eV=-0.5, name="a")
            db.write(atoms, data={"paep_profile": list(v)}, E_fermi=-0.5, vbm=-1.5, cbm=0.5)
            db.write(atoms)
        return path.read_bytes()


def formats() -> dict[str, SimpleNamespace]:
    "By name: the file, its content, what stands beside it, `units`"
    calculations = ROOT / "examples/calculations"
    def of(name, content, units=None, **beside): return SimpleNamespace(name=name, content=content, units=units, beside=beside)
    locpot = thinned(calculations / "vasp/WSSe/LOCPOT.gz", True)
    cube = thinned(calculations / "gpaw/WSSe.cube.gz", False)
    signed = thinned(calculations / "qe/graphene.cube.gz", False)
    poscar = {"POSCAR": (calculations / "vasp/WSSe/POSCAR").read_bytes()}
    scf = {"scf.out": (calculations / "qe/scf.out").read_bytes()}
    outcar = {"OUTCAR": (ROOT / "nbs/data/files/levels/janus/OUTCAR").read_bytes()}
    csv = (ROOT / "nbs/data/files/WSSe_potential.csv").read_bytes()
    v = np.loadtxt(csv.decode().splitlines()[1:], delimiter=",")
    z = np.arange(len(v)) / len(v)
    planar = "\n".join(f"{18.25 * a:12.6f} {b:12.6f}" for a, b in zip(z, v[:, 1]))
    planar = f"#  Planar Distance (A)  Potential (eV)\n{planar}"
    fraction = "\n".join(f"{a:12.6f} {b:12.6f}" for a, b in zip(z + z[1], v[:, 1]))
    return {
        "locpot": of("LOCPOT", locpot, **outcar), "locpot.gz": of("LOCPOT.gz", gzip.compress(locpot), **outcar),
        "locpot.xz": of("LOCPOT.xz", lzma.compress(locpot)), "locpot.bz2": of("a.locpot.bz2", bz2.compress(locpot)),
        "cube": of("v.cube", cube, "Ha"), "cube.gz": of("v.cube.gz", gzip.compress(signed), **scf),
        "average": of("avg.dat", (calculations / "qe/avg.dat").read_bytes(), **scf),
        "planar": of("PLANAR_AVERAGE.dat", planar.encode(), **poscar),
        "fraction": of("potential.dat", fraction.encode(), **poscar), "csv": of("WSSe_potential.csv", csv),
        "unnamed": of("potential", locpot), "vaspout": of("vaspout.h5", hdf5_bytes()),
        "stdout": of("avg.out", case("G1_average_x_stdout/avg.out"), **{"scf.out": case("G1_average_x_stdout/scf.out")}),
        "hubbard": of("avg.dat", case("H1_pw_hubbard/avg.dat"), **{"scf.out": case("H1_pw_hubbard/scf.out")}),
        "pav": of("layer.PAV", np_text(np.array([18.25 / BOHR * z, v[:, 1]]))),
        "abacus": of("V.cube", case("L1_abacus_cube/ElecStaticPot.cube"), **{"running_scf.log": b" WELCOME TO ABACUS v3.2\n EFERMI = -1.25 eV\n"}),
        "letterless": of("LOCPOT", case("K1_exponent_without_E/LOCPOT"), OUTCAR=case("K1_exponent_without_E/OUTCAR")),
        "columns": of("LOCPOT_Z", case("D1_LOCPOT_Z/LOCPOT_Z"), OUTCAR=case("C1_outcar_methfessel_paxton/OUTCAR"), POSCAR=case("D1_LOCPOT_Z/POSCAR")),
        "shifted": of("planar.dat", case("B1_shifted_header_says_zero/planar.dat"), OUTCAR=case("B1_shifted_header_says_zero/OUTCAR")),
        "step": of("LOCPOT", case("A2_DIPOL_half_layer_quarter/LOCPOT"), OUTCAR=case("A2_DIPOL_half_layer_quarter/OUTCAR")),
        "gpw": of("a.gpw", (calculations / "gpaw/graphene.gpw").read_bytes()[:20000]),
        "database": of("x.db", database_bytes()),
        "cif": of("x.cif", CIF), "poscar": of("POSCAR", POSCAR), "xyz": of("x.extxyz", XYZ), "other": of("x.dat", XYZ),
        "jarvis": of("x.json", json.dumps([JARVIS, JARVIS | {"jid": "2"}]).encode()), "optimade": of("x.json", json.dumps(OPTIMADE).encode()),
        "xdatcar": of("XDATCAR", XDATCAR), "pwxml": of("pw.xml", PW_XML), "h5": of("x.h5", hdf5_bytes("S2")),
        **{name: of(Path(name).name, (CASES / name).read_bytes()) for name in KEPT}}


CASES = ROOT / "tests/files/structures"
KEPT = tuple(sorted(p.relative_to(CASES).as_posix() for p in CASES.rglob("*") if p.is_file()))  # files as people have them
STRUCTURES = ("cif", "poscar", "xyz", "other", "database", "jarvis", "optimade", "xdatcar", "pwxml", "h5", *KEPT)
WSSE = ["W", "S", "Se"], [[0, 0, 9.1], [1.6, .9, 10.7], [1.6, .9, 7.5]], [[3.25, 0, 0], [-1.625, 2.8146, 0], [0, 0, 18.25]]
JARVIS = {"jid": "1", "atoms": dict(elements=WSSE[0], coords=WSSE[1], lattice_mat=WSSE[2], cartesian=True)}
OPTIMADE = {"data": [{"id": "a/1", "type": "structures", "attributes": dict(
    species_at_sites=["metal", "S", "Se"], cartesian_site_positions=WSSE[1], lattice_vectors=WSSE[2], dimension_types=[1, 1, 0],
    species=[dict(name="metal", chemical_symbols=["W"], concentration=[1.0])])}], "meta": {"api_version": "1.1.0"}}
XDATCAR = POSCAR.split(b"Cartesian")[0] + b"".join(
    b"Direct configuration= %5d\n 0 0 .5\n .6667 .3333 .587\n .6667 .3333 .413\n" % k for k in (1, 2, 3))
PW_XML = (b'<?xml version="1.0"?><qes:espresso xmlns:qes="q"><output><atomic_structure nat="2"><atomic_positions><atom name="C" index="1">0 0 9'
          b'</atom><atom name="C" index="2">0 2.69 9</atom></atomic_positions><cell><a1>4.66 0 0</a1><a2>-2.33 4.04 0</a2><a3>0 0 30</a3></cell>'
          b"</atomic_structure></output></qes:espresso>")

# damage without hypothesis: fast, and far enough from the good file

WORDS = [b"nan", b"-inf", b"1e300", b"-1e300", b"1e-300", b"********", b"0", b"-1", b"1", b"2000", b"1000000000", b"1e999",
         b"9" * 400, b"-0.1-0.2", b"1,5", b"1.5D+01", b"0x10", b"1_000", b"", b"x", b"\x00", b"\xff\xfe", b"#", b"\n", b"\r",
         b"1/0", b"'", b"[]"]
HEADS = [b"2000 2000 2000", b"100000 100000 100000", b"1000000000", b"1 1 1", b"0 0 0", b"-3 -3 -3", b"1e9 1 1", b"nan nan nan"]
FILL = [b"7", b"1 ", b"x", b" ", b"\n", b"0 0 0\n"]
ENDS = [b"\r\n", b"\r", b"\n\n", b"\x0b", b" "]
FACTORS = [1e-10, 1 / 27.2114, 0.529, 0.1, 10, 1e3, 1e8, -1]
NAMES = ["{}", "{}", "{}", "{}", "C:\\dir\\Übung µ.{}", "a b.{}", "it's \"x\".{}", "two\nlines.{}", "\x1b[31m.{}", "Ω.{}",
         "\udcff.{}", "%s{{}}.{}", "-x.{}"]
Rng = np.random.Generator


def pick(rng: Rng, items): return items[int(rng.integers(max(1, len(items))))]


def near(data: bytes, rng: Rng) -> int:
    "A place in the file, every second time in its head"
    return int(rng.integers(0, max(1, len(data) if rng.random() < .5 else min(len(data), 400))))


def flip(data: bytes, other: bytes, rng: Rng) -> bytes:
    found = np.frombuffer(data, np.uint8).copy()
    n = int(rng.integers(1, 20)) if len(found) else 0
    found[rng.integers(0, max(1, len(found)), n)] = rng.integers(0, 256, n)
    return found.tobytes()


def cut(data: bytes, other: bytes, rng: Rng) -> bytes:
    i = near(data, rng)
    return data[:i] + data[i + int(rng.integers(1, 200)):]


def insert(data: bytes, other: bytes, rng: Rng) -> bytes:
    i = near(data, rng)
    return data[:i] + pick(rng, WORDS) + data[i:]


def replace(data: bytes, other: bytes, rng: Rng) -> bytes:
    for _ in range(int(rng.integers(1, 6))):
        spans = [m.span() for m in re.finditer(rb"[^\s,;]+", data)]
        if not spans: break
        i, j = pick(rng, spans if rng.random() < .5 else spans[:30])
        data = data[:i] + pick(rng, WORDS) + data[j:]
    return data


def scale(data: bytes, other: bytes, rng: Rng) -> bytes:
    "The numbers of one column in another unit"
    factor, column = pick(rng, FACTORS), int(rng.integers(3))
    def line(m: re.Match) -> bytes:
        words = m[0].split()
        try: words[column] = b"%g" % (float(words[column]) * factor)
        except (ValueError, IndexError): return m[0]
        return b" ".join(words)
    return re.sub(rb"(?m)^.*$", line, data)


def header(data: bytes, other: bytes, rng: Rng) -> bytes:
    lines = data.split(b"\n")
    lines[int(rng.integers(min(len(lines), 16)))] = pick(rng, HEADS)
    return b"\n".join(lines)


def swap(data: bytes, other: bytes, rng: Rng) -> bytes:
    lines = data.split(b"\n")
    i, j = int(rng.integers(len(lines))), int(rng.integers(min(20, len(lines))))
    lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


def double(data: bytes, other: bytes, rng: Rng) -> bytes:
    i, n = near(data, rng), int(rng.integers(1, 500))
    return data[:i] + data[i:i + n] * int(rng.integers(2, 40)) + data[i + n:]


def recode(data: bytes, other: bytes, rng: Rng) -> bytes:
    text = data.decode("latin-1")
    return pick(rng, [text.encode("utf-16"), text.encode("utf-16-le"), b"\xef\xbb\xbf" + data, data.replace(b"e", b"\xe9"),
                      data.replace(b".", b","), data.replace(b" ", b"\t"), data.replace(b" ", b"\xc2\xa0")])


def line_ends(data: bytes, other: bytes, rng: Rng) -> bytes: return data.replace(b"\n", pick(rng, ENDS))


def long_line(data: bytes, other: bytes, rng: Rng) -> bytes:
    i = near(data, rng)
    return data[:i] + pick(rng, FILL) * int(10 ** rng.uniform(3, 5.5)) + data[i:]


def splice(data: bytes, other: bytes, rng: Rng) -> bytes: return data[:near(data, rng)] + other[near(other, rng):]


def noise(data: bytes, other: bytes, rng: Rng) -> bytes: return rng.bytes(int(10 ** rng.uniform(0, 4)))


def truncate(data: bytes, other: bytes, rng: Rng) -> bytes: return data[:near(data, rng)]


def leave(data: bytes, other: bytes, rng: Rng) -> bytes: return data


def empty(data: bytes, other: bytes, rng: Rng) -> bytes: return b""


KINDS = [flip, cut, insert, replace, replace, scale, header, swap, double, recode, line_ends, long_line, splice, noise, truncate,
         leave, empty]
PACKED = {".gz": (gzip.decompress, lambda x: gzip.compress(x, 1)), ".xz": (lzma.decompress, lambda x: lzma.compress(x, preset=0)),
          ".bz2": (bz2.decompress, bz2.compress)}


def damage(name: str, data: bytes, other: bytes, rng: Rng) -> bytes:
    "Damaged once or several times; what is compressed also before it is"
    unpack, pack = PACKED.get(Path(name).suffix, (None, None))
    if unpack and pack and rng.random() < .6: return pack(damage("", unpack(data), other, rng))
    for _ in range(int(rng.choice([1, 1, 2, 4]))): data = pick(rng, KINDS)(data, other, rng)
    return data


def write_case(folder: Path, sample: SimpleNamespace, others: list[bytes], rng: Rng) -> Path:
    "The file to read, damaged or beside damaged ones"
    def other() -> bytes: return others[int(rng.integers(len(others)))]
    content = damage(sample.name, sample.content, other(), rng) if rng.random() < .9 or not sample.beside else sample.content
    for name, beside in sample.beside.items():
        if rng.random() < .8: (folder / name).write_bytes(damage(name, beside, other(), rng) if rng.random() < .4 else beside)
    path = folder / NAMES[int(rng.integers(len(NAMES)))].format(sample.name)
    path.write_bytes(content)
    return path


# what a reader may answer

def shown(path: Path) -> str:
    "How a path stands in a message: what would not print on a line is escaped"
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in str(path))


def one_sentence(error: Exception, path: Path):
    message = str(error)
    assert message.startswith(shown(path)), f"does not name the file: {message!r}"
    rest = message.removeprefix(shown(path)).lstrip("#0123456789")
    assert rest.startswith(": ") and len(rest) > 12, f"gives no reason: {message!r}"
    assert message.isprintable(), f"is more than a line of text: {message!r}"
    assert len(rest) < 700, f"is more than a sentence: {message!r}"
    assert "MemoryError" not in message, message


def finite(x) -> bool: return bool(np.isfinite(np.asarray(x, float)).all())


def is_layer(layer):
    assert len(layer) and finite(layer.positions) and finite(layer.cell) and 0 < layer.area < np.inf and layer.formula


def answer_layer(path: Path) -> str:
    from wfclip.data.layer import Layer, StructureError
    from wfclip.data.structure import read_layer, read_layers
    for found in read_layers(path):
        if isinstance(found, Layer): is_layer(found)
        else: one_sentence(found, path)
    try: is_layer(read_layer(path))
    except StructureError as error: return one_sentence(error, path) or "refused"
    return "read"


def answer_potential(path: Path, **options) -> str:
    from wfclip.data.check import potential_lines, potential_row, read_profile
    from wfclip.data.profile import ProfileError
    from wfclip.data.readers import read_potential
    try: potential = read_potential(path, **options)
    except ProfileError as error: return one_sentence(error, path) or "refused"
    assert finite(potential.z) and finite(potential.v) and len(potential.z) == len(potential.v)
    if potential.layer: is_layer(potential.layer)
    answer = "read"
    try:
        row = potential_row(potential)
        assert all(finite(x) for x in row.values() if isinstance(x, float)), row
        json.dumps(row, allow_nan=False)
        assert all(line.isprintable() for line in list(potential_lines([row]))[1:]), row
    except ProfileError as error: answer = one_sentence(error, path) or "no plateaus"
    try: profile = read_profile(path, -3.0, **options)
    except ProfileError as error: return one_sentence(error, path) or answer
    assert finite(profile.phi) and finite([profile.phi_top, profile.phi_bottom]) and finite(profile.resample().phi)
    return answer


def answer_database(path: Path) -> str:
    "What a loop over the rows of a database sees"
    from ase.db import connect

    from wfclip.data.check import potential_row
    from wfclip.data.profile import ProfileError
    from wfclip.data.readers import row_potential
    try: rows = list(connect(path).select())
    except Exception: return "refused"  # ASE's own errors, which read_layers words
    answer = "refused"
    for row in rows:
        try:
            json.dumps(potential_row(row_potential(row, str(path))), allow_nan=False)
            answer = "read"
        except ProfileError as error: assert str(error).isprintable() and 12 < len(str(error)) < 700, str(error)
    return answer


def answer(kind: str, path: Path, units: str | None) -> str:
    if kind in STRUCTURES:
        found = answer_layer(path)
        return answer_database(path) if kind == "database" else found
    return answer_potential(path, units=units)


class Hang(BaseException): pass


def stop(*_): raise Hang()


def read_damaged(kind: str, cases: int, first: int, known: dict[str, SimpleNamespace], seconds: int) -> dict:
    "How many files of a format were read and refused, each in time; what was slowest"
    others, sample, found, slowest = [x.content for x in known.values()], known[kind], Counter(), (0.0, 0)
    for number in range(first, first + cases):
        with tempfile.TemporaryDirectory() as folder:
            path = write_case(Path(folder), sample, others, np.random.default_rng([number, *kind.encode()]))
            faulthandler.dump_traceback_later(3 * seconds, exit=True)  # if it hangs where Python cannot stop it
            signal.alarm(seconds)
            begin = time.perf_counter()
            try: found[answer(kind, path, sample.units)] += 1
            except BaseException as error:
                print(f"damage.py 1 {number} {kind}: {type(error).__name__}", flush=True)
                raise
            finally: signal.alarm(0)
            slowest = max(slowest, (round(time.perf_counter() - begin, 2), number))
    faulthandler.cancel_dump_traceback_later()
    return dict(kind=kind, cases=cases, slowest=slowest, **found)


def peak_memory() -> int:
    "The largest memory of this process so far, MB (getrusage would tell that of the process which started it, if larger)"
    status = Path("/proc/self/status")
    if not status.exists(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return int(re.search(r"VmHWM:\s+(\d+)", status.read_text(encoding="utf-8"))[1]) // 1024


def main(cases: str, first: str, *kinds: str, memory: int = 4 * 10**9, seconds: int = 20):
    "Damaged files of these formats, read under limits of memory and time"
    for name in ("ase.db", "ase.io.extxyz", "ase.io.vasp", "h5py", "pymatgen.io.cif", "spglib", "vesin"): import_module(name)
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    signal.signal(signal.SIGALRM, stop)
    known = formats()
    for kind in kinds:
        start = time.perf_counter()
        told = read_damaged(kind, int(cases), int(first), known, seconds)
        peak = peak_memory()
        print(json.dumps(dict(told, seconds=round(time.perf_counter() - start, 1), MB=peak)), flush=True)


if __name__ == "__main__": main(*sys.argv[1:])
