"""What the documentation says of each public symbol, and what it fails to say.

    python tools/api_docs.py        # lists public symbols without docstring, parameters without docment; exit code 1 if any

`ApiTable` renders a symbol for nbdev's `show_doc`: signature, docstring, and a table of the parameters with type, default and
what the comment beside them says (shape, unit), of the return and of the errors that the docstring names. A class is
followed by those of its methods that no notebook shows by itself.
"""
import ast
import dataclasses
import enum
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

from fastcore.docments import docments
from nbdev.doclinks import NbdevLookup

ROOT = Path(__file__).resolve().parents[1]
NOTHING = inspect.Parameter.empty


class Entry(NamedTuple):
    "A row of the table."
    name: str
    type: str
    default: str  # empty if there is none
    text: str  # empty if nothing is said


def modules() -> list[str]:
    "The exported modules by name, in the order of their notebooks' names."
    index = import_module("wfclip._modidx").d["syms"]
    return sorted(index)


def public(module: str) -> Iterator[tuple[str, Any]]:
    "The public symbols of a module with their names."
    found = import_module(module)
    for name in found.__all__: yield name, getattr(found, name)


def is_documented_kind(symbol: Any) -> bool:
    "A function or a class, not a constant or a type of other types."
    return inspect.isfunction(symbol) or inspect.isclass(symbol)


def methods(cls: type) -> Iterator[tuple[str, Any]]:
    "Public methods and properties that the class or one of its private bases defines, with their names."
    seen = set()
    for base in inspect.getmro(cls):
        if base is not cls and not (base.__name__.startswith("_") and base.__module__.startswith("wfclip")): continue
        for name, member in vars(base).items():
            function = getattr(member, "__func__", getattr(member, "fget", member))
            ours = inspect.isfunction(function) and function.__module__.startswith("wfclip")
            if name.startswith("_") or name in seen or not ours: continue
            seen.add(name)
            yield name, member


def type_name(annotation: Any) -> str:
    "A type as one would write it."
    if annotation in (NOTHING, None): return ""
    if isinstance(annotation, str): return annotation
    name = annotation.__name__ if inspect.isclass(annotation) and not hasattr(annotation, "__args__") else str(annotation)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", name)


def fields(cls: type) -> list[Entry]:
    "The fields of a dataclass or named tuple, those of its bases first, with the comments beside them."
    found: dict[str, Entry] = {}
    for base in reversed([b for b in inspect.getmro(cls) if b.__module__.startswith("wfclip")]):
        try: source = dedent(inspect.getsource(base))
        except OSError: continue
        lines = source.splitlines()
        for node in ast.parse(source).body[0].body:  # type: ignore
            if not isinstance(node, ast.AnnAssign) or ast.unparse(node.target).startswith("_"): continue
            comment = re.search(r"#\s*(.*)", lines[node.end_lineno - 1][node.end_col_offset:])  # type: ignore
            default = ast.unparse(node.value) if node.value else ""
            name = ast.unparse(node.target)
            found[name] = Entry(name, ast.unparse(node.annotation), default, comment[1].strip() if comment else "")
    return list(found.values())


def is_record(symbol: Any) -> bool:
    "A dataclass or a named tuple, whose constructor nobody wrote."
    return inspect.isclass(symbol) and (dataclasses.is_dataclass(symbol) or hasattr(symbol, "_fields"))


def is_plain(cls: type) -> bool:
    "A class that takes nothing when made, or an exception or an enumeration."
    return issubclass(cls, (BaseException, enum.Enum)) or "__init__" not in vars(cls) and "forward" not in vars(cls)


def parameters(symbol: Any) -> list[Entry]:
    "What a function takes, or what makes an object of a class."
    if is_record(symbol): return fields(symbol)
    if inspect.isclass(symbol) and "__init__" not in vars(symbol): return []
    said = docments(symbol, full=True)
    rows = [(n, d) for n, d in said.items() if n not in ("self", "cls", "return")]
    default = lambda d: "" if d["default"] is NOTHING else type_name(d["default"]) if inspect.isclass(d["default"]) else repr(d["default"])
    return [Entry(n, type_name(d["anno"]), default(d), " ".join((d["docment"] or "").split())) for n, d in rows]


def returns(symbol: Any) -> Entry | None:
    "What a function returns, if it says so."
    if inspect.isclass(symbol): return None
    said = docments(symbol, full=True, returns=True).get("return")
    if not said or said["anno"] in (NOTHING, None) and not said["docment"]: return None
    return Entry("returns", type_name(said["anno"]), "", " ".join((said["docment"] or "").split()))


def errors(symbol: Any) -> list[str]:
    "What the docstring says of errors."
    clauses = re.split(r"(?<=[.;])\s+", " ".join((inspect.getdoc(symbol) or "").split()))
    return [c.rstrip(".;") for c in clauses if re.search(r"\b[A-Z]\w*Error\b", c)]


# --- the table


def cell(text: str, code: bool = False) -> str:
    "Text of a table's cell."
    text = text.replace("|", "\\|")
    return f"`{text}`" if code and text else text


def table(symbol: Any) -> str:
    "Parameters, return and errors as a Markdown table; empty if there are none."
    taken, given, raised = parameters(symbol), returns(symbol), errors(symbol)
    rows = [(cell(p.name, True), cell(p.type, True), cell(p.default, True), cell(p.text)) for p in taken]
    if given: rows.append(("**returns**", cell(given.type, True), "", cell(given.text)))
    rows += [("**raises**", cell(re.findall(r"\b[A-Z]\w*Error\b", e)[0], True), "", cell(e)) for e in raised]
    if not rows: return ""
    kept = [k for k in range(4) if k == 0 or any(r[k] for r in rows)]
    title = ("field" if is_record(symbol) else "parameter" if taken else "", "type", "default", "meaning")
    lines = [[title[k] for k in kept], ["---"] * len(kept), *[[r[k] for k in kept] for r in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def signature(name: str, symbol: Any) -> str:
    "How it is called, names only, on lines of a hundred characters."
    if inspect.isclass(symbol) and is_plain(symbol) and not is_record(symbol): return f"class {name}"
    taken = [p.name + ("=" + p.default if p.default else "") for p in parameters(symbol)]
    back = returns(symbol)
    line = f"{name}({', '.join(taken)})" + (f" -> {back.type}" if back and back.type else "")
    return line if len(line) <= 100 else f"{name}(\n    " + ",\n    ".join(taken) + ",\n)" + line.rpartition(")")[2]


def plain(member: Any) -> Any:
    "The function behind a method or property."
    return getattr(member, "__func__", getattr(member, "fget", member))


@cache
def shown_methods() -> set[str]:
    "Methods that a notebook shows by itself."
    text = "".join(p.read_text(encoding="utf-8") for p in sorted((ROOT / "nbs").rglob("*.ipynb")))
    return set(re.findall(r"show_doc\((\w+\.\w+)", text))


def describe(symbol: Any, name: str, level: int) -> str:
    "A symbol as Markdown, with its heading and a link to its source."
    source = NbdevLookup().code(f"{symbol.__module__}.{symbol.__qualname__}")
    head = "#" * level + f" {name}" + (f"\n\n[source]({source}){{.source}}" if source else "")
    doc = inspect.getdoc(symbol) if symbol.__doc__ else ""
    return "\n\n".join(filter(None, [head, f"```python\n{signature(name.rpartition('.')[2], symbol)}\n```", doc, table(symbol)]))


class ApiTable:
    "Renderer for nbdev's `show_doc`."

    def __init__(self, symbol: Any, name: str | None = None, title_level: int = 3):
        self.symbol, self.level = plain(symbol), title_level
        self.name = name or self.symbol.__qualname__.replace("_Transforms.", "Profile.")

    def _repr_markdown_(self) -> str:
        parts = [describe(self.symbol, self.name, self.level)]
        if inspect.isclass(self.symbol):
            more = [(n, m) for n, m in methods(self.symbol) if f"{self.name}.{n}" not in shown_methods()]
            parts += [describe(plain(m), f"{self.name}.{n}", self.level + 1) for n, m in more if n != "forward" or plain(m).__doc__]
        return "\n\n".join(parts)


# --- the check


def gaps(name: str, symbol: Any) -> Iterator[str]:
    "What is missing in what is said of a function or class."
    if not symbol.__doc__ or is_record(symbol) and symbol.__doc__.startswith(f"{symbol.__name__}("): yield f"{name}: no docstring"
    for p in parameters(symbol):
        if not p.text and not p.name.startswith("*"): yield f"{name}: nothing said of {p.name}"
    raised = set(re.findall(r"\braise ([A-Z]\w+Error)\b", source_of(symbol)))
    for error in sorted(raised - set(re.findall(r"\w+Error", inspect.getdoc(symbol) or ""))):
        yield f"{name}: raises {error} and does not say so"


def source_of(symbol: Any) -> str:
    "The code of a function, or of a class without its methods but the constructor."
    if not inspect.isclass(symbol): return inspect.getsource(symbol)
    made = [vars(symbol)[n] for n in ("__init__", "__post_init__") if inspect.isfunction(vars(symbol).get(n))]
    try: return "".join(inspect.getsource(m) for m in made)
    except OSError: return ""  # a dataclass's own


def problems() -> Iterator[str]:
    "Everything that is missing, one line each."
    for module in modules():
        for name, symbol in public(module):
            if not is_documented_kind(symbol) or not symbol.__module__.startswith("wfclip"): continue
            yield from gaps(f"{module}.{name}", symbol)
            if not inspect.isclass(symbol): continue
            for method, member in methods(symbol): yield from gaps(f"{module}.{name}.{method}", plain(member))


if __name__ == "__main__":
    found = list(problems())
    print("\n".join(found) or "every public symbol and parameter is documented")
    sys.exit(bool(found))
