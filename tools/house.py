"""The structure of the package, read from its source: what imports what, and how large things are.

    python tools/house.py        # prints the figures; exit code 1 if a module imports what it must not know

The floors below are the plan. `tests/test_house.py` keeps it, and the page "The map of the code" draws it.
"""
import ast
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "wfclip"
FLOORS = (  # a module knows its own floor and those before it
    ("streams", "files", "config", "energies", "threads", "plot"),
    ("data", "nn"),
    ("encode", "regress", "bank", "calibrate", "blend", "known"),
    ("teach", "train", "evaluate", "crossval", "predict", "table", "features", "index", "nearest", "embed", "search", "jobs", "screen", "check"),
    ("cli",),
)


@cache
def sources() -> dict[str, ast.Module]:
    "The modules of the package, by name without that of the package, as syntax trees."
    paths = sorted(p for p in PACKAGE.rglob("*.py") if p.name not in ("__init__.py", "__main__.py", "_modidx.py"))
    return {".".join(p.relative_to(PACKAGE).with_suffix("").parts): ast.parse(p.read_text(encoding="utf-8")) for p in paths}


def floor(module: str) -> int:
    "On which floor a module stands, counted from 0; KeyError if the plan has no place for it."
    places = {room: k for k, rooms in enumerate(FLOORS) for room in rooms}
    return places[module.partition(".")[0]]


def named(module: str) -> Iterator[str]:
    "The full names of all that a module imports, also within functions, and those that it may give to `import_module`."
    here = ["wfclip", *module.split(".")]
    nodes = list(ast.walk(sources()[module]))
    by_name = any(isinstance(n, ast.Name | ast.Attribute) and ast.unparse(n).endswith(("import_module", "__import__"))
                  for n in nodes)
    for node in nodes:
        if isinstance(node, ast.Import): yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = ".".join((here[:-node.level] if node.level else []) + ([node.module] if node.module else []))
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif by_name and isinstance(node, ast.Constant) and re.fullmatch(r"wfclip(\.\w*)+", str(node.value)):
            yield str(node.value)


def imports(module: str) -> frozenset[str]:
    "The modules of the package that a module imports; what is not one of them stays a name, such as `__version__`."
    found = set()
    for name in named(module):
        if name != "wfclip" and not name.startswith("wfclip."): continue
        name = name.removeprefix("wfclip").lstrip(".")
        owner = name.rpartition(".")[0]
        found.add(name if name in sources() else owner if owner in sources() else name)
    return frozenset(found - {module})


def forbidden(modules: Iterable[str] | None = None) -> list[tuple[str, str]]:
    "The pairs of modules of which the first, one of those given or of all, imports the second and must not."
    def allowed(a: str, b: str) -> bool:
        if b == "__version__": return True
        if b not in sources() or floor(b) > floor(a): return False
        if a == "plot": return False  # it draws whatever has the right attributes
        if a.startswith("data."): return not b.startswith("nn.")
        if a.startswith("nn."): return not b.startswith("data.") or b == "data.graph"
        return True
    return [(a, b) for a in modules or sources() for b in sorted(imports(a)) if not allowed(a, b)]


def without_encoding(path: Path) -> list[int]:
    "The lines of a file of Python in which a text file is opened in the encoding of whatever system it runs on."
    def bare(node: ast.AST) -> bool:
        if not isinstance(node, ast.Call) or any(k.arg in ("encoding", None) for k in node.keywords): return False
        if isinstance(node.func, ast.Name) and node.func.id == "open":
            mode = node.args[1] if len(node.args) > 1 else next((k.value for k in node.keywords if k.arg == "mode"), ast.Constant("r"))
            return isinstance(mode, ast.Constant) and "b" not in str(mode.value)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        return name == "read_text" and not node.args or name == "write_text" and len(node.args) == 1
    return [n.lineno for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call) and bare(n)]


def circles() -> list[set[str]]:
    "Groups of modules that import one another."
    reach = {a: imports(a) & sources().keys() for a in sources()}
    for _ in sources(): reach = {a: found.union(*(reach[b] for b in found)) for a, found in reach.items()}
    groups = {frozenset(b for b in found if a in reach[b]) for a, found in reach.items() if a in found}
    return [set(group) for group in groups]


# --- how large


def lines(node: ast.AST) -> int:
    "Lines of a function or class, with its decorators."
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])  # type: ignore
    return node.end_lineno - first + 1  # type: ignore


def each(kind) -> Iterator[tuple[str, ast.AST]]:
    "All nodes of a kind, each with the name of its module."
    return ((m, node) for m, tree in sources().items() for node in ast.walk(tree) if isinstance(node, kind))


def too_long(functions: int = 30, classes: int = 75, modules: int = 550) -> list[str]:
    "What has more lines than it may."
    found = []
    for kind, most in (((ast.FunctionDef, ast.AsyncFunctionDef), functions), (ast.ClassDef, classes)):
        found += [f"{m}.{node.name}: {lines(node)} lines" for m, node in each(kind) if lines(node) > most]  # type: ignore
    for m in sources():
        n = (PACKAGE / f"{m.replace('.', '/')}.py").read_text(encoding="utf-8").count("\n")
        if n > modules: found.append(f"{m}: {n} lines")
    return found


def single_bases() -> list[str]:
    "Classes of the package from which only one other is derived."
    own = {node.name for _, node in each(ast.ClassDef)}  # type: ignore
    bases = Counter(ast.unparse(base) for _, node in each(ast.ClassDef) for base in node.bases)  # type: ignore
    return sorted(name for name, n in bases.items() if n == 1 and name in own)


def tuple_assignments() -> float:
    "The share of assignments that are `a, b = x, y`."
    pairs = [isinstance(node.value, ast.Tuple) and isinstance(node.targets[0], ast.Tuple)  # type: ignore
             for _, node in each(ast.Assign)]
    return sum(pairs) / len(pairs)


def public() -> list[str]:
    "The names in the `__all__` of all modules, each with its module."
    found = []
    for module, tree in sources().items():
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                found += [f"{module}.{name}" for name in ast.literal_eval(node.value)]
    return found


def readers_of_files(prefix: str) -> set[str]:
    "The modules below a prefix that may open a file, by what they import or call."
    means = re.compile(r"(wfclip\.files|pathlib|io|gzip|shutil|tempfile|safetensors|csv|importlib\.resources)(\.|$)")
    calls = {m for m, node in each(ast.Call) if re.search(r"\b(open|load|loadtxt|genfromtxt)$", ast.unparse(node.func))}  # type: ignore
    return {m for m in sources() if m.startswith(prefix) and (m in calls or any(map(means.match, named(m))))}


if __name__ == "__main__":
    text = "".join((PACKAGE / f"{m.replace('.', '/')}.py").read_text(encoding="utf-8") for m in sources())
    print(f"{len(sources())} modules, {text.count(chr(10))} lines, {len(public())} public names, "
          f"{tuple_assignments():.1%} of assignments are of several values")
    print("bases of one class:", *single_bases() or ["none"])
    print("too long:", *too_long() or ["nothing"], sep="\n  ")
    print("circles:", *map(sorted, circles()) or ["none"], sep="\n  ")
    wrong = forbidden()
    print("imports of what a module must not know:", *(f"{a} of {b}" for a, b in wrong) or ["none"], sep="\n  ")
    sys.exit(bool(wrong))
