"""What the documentation says of each public symbol, and what it fails to say.

    python tools/api_docs.py        # lists public symbols without docstring, parameters without docment; exit code 1 if any

`document` is what the site shows of a symbol: signature, docstring, and a table of the parameters with type, default and what the
comment beside them says (shape, unit), of the return and of the errors that the docstring names.
"""
import ast
import dataclasses
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

from fastcore.docments import docments
from nbdev.config import get_config

ROOT = Path(__file__).resolve().parents[1]
NOTHING = inspect.Parameter.empty
ERROR = re.compile(r"\b[A-Z]\w*Error\b")


def site_address() -> str:
    "Where the documentation is published."
    return get_config().doc_host + get_config().doc_baseurl


def repository() -> str:
    "Where the source is published."
    return get_config().git_url


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
    for name in found.__all__: yield name, plain(getattr(found, name))


def is_documented_kind(symbol: Any) -> bool:
    "A function or a class, not a constant or a type of other types."
    return inspect.isfunction(symbol) or inspect.isclass(symbol)


def methods(cls: type) -> Iterator[tuple[str, Any]]:
    "Public methods and properties that the class or one of its private bases defines, with their names."
    seen = set()
    for base in inspect.getmro(cls):
        if base is not cls and not (base.__name__.startswith("_") and base.__module__.startswith("wfclip")): continue
        for name, member in vars(base).items():
            function = plain(member)
            ours = inspect.isfunction(function) and function.__module__.startswith("wfclip")
            if name.startswith("_") or name in seen or not ours: continue
            seen.add(name)
            yield name, member


def type_name(annotation: Any) -> str:
    "A type as one would write it."
    if annotation in (NOTHING, None): return ""
    if isinstance(annotation, str): return annotation
    name = annotation.__name__ if inspect.isclass(annotation) and not hasattr(annotation, "__args__") else str(annotation)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", name).replace(" | ", " or ")


def fields(cls: type) -> list[Entry]:
    "The fields of a dataclass or named tuple, those of its bases first, with the comments beside them or the help they carry."
    found: dict[str, Entry] = {}
    for base in reversed([b for b in inspect.getmro(cls) if b.__module__.startswith("wfclip")]):
        try: source = dedent(inspect.getsource(base))
        except OSError: continue
        lines = source.splitlines()
        for node in ast.parse(source).body[0].body:  # type: ignore
            if not isinstance(node, ast.AnnAssign) or ast.unparse(node.target).startswith("_"): continue
            comment = re.search(r"#\s*(.*)", lines[node.end_lineno - 1][node.end_col_offset:])  # type: ignore
            name, kind = ast.unparse(node.target), ast.unparse(node.annotation).replace(" | ", " or ")
            default = ast.unparse(node.value) if node.value else ""
            found[name] = Entry(name, kind, default, comment[1].strip() if comment else "")
    for f in dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ():
        if "help" in f.metadata: found[f.name] = found[f.name]._replace(default=repr(f.default), text=f.metadata["help"])
    return list(found.values())


def written(default: Any) -> str:
    "A default as one would write it; empty if there is none."
    if default is NOTHING: return ""
    return type_name(default) if inspect.isclass(default) else repr(default)


def one_line(text: str | None) -> str:
    "Text without line breaks."
    return " ".join((text or "").split())


def is_record(symbol: Any) -> bool:
    "A dataclass or a named tuple, whose constructor nobody wrote."
    return inspect.isclass(symbol) and (dataclasses.is_dataclass(symbol) or hasattr(symbol, "_fields"))


def constructor(cls: type) -> Any:
    "The `__init__` that somebody here wrote, for the class or for one of its bases; None if there is none."
    made = [vars(b).get("__init__") for b in inspect.getmro(cls) if b is cls or b.__module__.startswith("wfclip")]
    return None if is_record(cls) else next(filter(inspect.isfunction, made), None)


def parameters(symbol: Any) -> list[Entry]:
    "What a function takes, or what makes an object of a class."
    if is_record(symbol): return fields(symbol)
    if inspect.isclass(symbol) and not (symbol := constructor(symbol)): return []
    said = docments(symbol, full=True, args_kwargs=True)
    rows = [(n, d) for n, d in said.items() if n not in ("self", "cls", "return")]
    star = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    row = lambda n, d: Entry(n, type_name(d["anno"]), written(d["default"]), one_line(d["docment"]))
    return [row(star.get(d["kind"], "") + n, d) for n, d in rows]


def returns(symbol: Any) -> Entry | None:
    "What a function returns, if it says so."
    if inspect.isclass(symbol): return None
    said = docments(symbol, full=True, returns=True).get("return")
    if not said or said["anno"] in (NOTHING, None) and not said["docment"]: return None
    return Entry("returns", type_name(said["anno"]), "", one_line(said["docment"]))


def errors(symbol: Any) -> list[str]:
    "What the docstring says of errors."
    clauses = re.split(r"(?<=[.;])\s+", one_line(inspect.getdoc(symbol)))
    return [c.rstrip(".;") for c in clauses if ERROR.search(c)]


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
    rows += [("**raises**", cell(ERROR.search(e)[0], True), "", cell(ERROR.sub("", e, 1).strip(" ,"))) for e in raised]  # type: ignore
    if not rows: return ""
    if not taken: return "\n".join("- " + ": ".join(filter(None, [" ".join(filter(None, row[:2])), row[3]])) for row in rows)
    kept = [k for k in range(4) if k == 0 or any(r[k] for r in rows)]
    title = ("field" if is_record(symbol) else "parameter", "type", "default", "meaning")
    lines = [[title[k] for k in kept], ["---"] * len(kept), *[[r[k] for k in kept] for r in rows]]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f'<div class="api" markdown="1">\n\n{text}\n\n</div>'


def signature(name: str, symbol: Any) -> str:
    "How it is called, names only, on lines of a hundred characters."
    if inspect.isclass(symbol) and not is_record(symbol) and not constructor(symbol): return f"class {name}"
    taken = [p.name + ("=" + p.default if p.default else "") for p in parameters(symbol)]
    back = returns(symbol)
    line = f"{name}({', '.join(taken)})" + (f" -> {back.type}" if back and back.type else "")
    return line if len(line) <= 100 else f"{name}(\n    " + ",\n    ".join(taken) + ",\n)" + line.rpartition(")")[2]


def plain(member: Any) -> Any:
    "The function behind a method, a property or a cache."
    return inspect.unwrap(getattr(member, "__func__", getattr(member, "fget", getattr(member, "func", member))))


@cache
def shown_methods() -> set[str]:
    "Methods that a notebook shows by itself."
    text = "".join(p.read_text(encoding="utf-8") for p in sorted((ROOT / "nbs").rglob("*.ipynb")))
    return set(re.findall(r"show_doc\((\w+\.\w+)", text))


def describe(member: Any, name: str, level: int) -> str:
    "A function, class, method or property as Markdown, with its heading and a link to its source."
    symbol, short = plain(member), name.rpartition(".")[2]
    call = f"{short}: {returns(symbol).type}" if isinstance(member, property | cached_property) else signature(short, symbol)  # type: ignore
    file, line = Path(inspect.getsourcefile(symbol) or ""), inspect.getsourcelines(symbol)[1]
    source = f"{repository()}/blob/main/{file.relative_to(ROOT)}#L{line}"
    head = "#" * level + f" {name} {{#{name.lower()}}}\n\n[source]({source}){{.source}}"
    doc = inspect.getdoc(symbol) if symbol.__doc__ else ""
    return "\n\n".join(filter(None, [head, f"```python\n{call}\n```", doc, table(symbol)]))


def document(module: str, name: str, level: int = 3) -> str:
    "A public symbol as Markdown: a function or method alone, a class with the methods that no notebook shows by itself."
    owner, _, method = name.partition(".")
    symbol = getattr(import_module(module), owner)
    if method: return describe(dict(methods(symbol))[method], name, level)
    parts = [describe(symbol, name, level)]
    if inspect.isclass(symbol):
        parts += [describe(m, f"{name}.{n}", level + 1) for n, m in methods(symbol) if f"{name}.{n}" not in shown_methods()]
    return "\n\n".join(parts)


# --- the check


def gaps(name: str, symbol: Any) -> Iterator[str]:
    "What is missing in what is said of a function or class."
    if not symbol.__doc__ or is_record(symbol) and symbol.__doc__.startswith(f"{symbol.__name__}("): yield f"{name}: no docstring"
    for p in parameters(symbol):
        if not p.text: yield f"{name}: nothing said of {p.name}"
    raised = set(re.findall(r"\braise ([A-Z]\w+Error)\b", source_of(symbol)))
    for error in sorted(raised - set(re.findall(r"\w+Error", inspect.getdoc(symbol) or ""))):
        yield f"{name}: raises {error} and does not say so"


def source_of(symbol: Any) -> str:
    "The code of a function, or of a class without its methods but the constructor."
    if not inspect.isclass(symbol): return inspect.getsource(symbol)
    made = [vars(symbol)[n] for n in ("__init__", "__post_init__") if inspect.isfunction(vars(symbol).get(n))]
    return "".join(inspect.getsource(m) for m in made if Path(m.__code__.co_filename).is_file())  # a dataclass's own has none


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
