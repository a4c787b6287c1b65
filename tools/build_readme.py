"""Make README.md from nbs/index.ipynb, with the outputs stored in it.

    python tools/build_readme.py            # write README.md and the figures it shows
    python tools/build_readme.py --check    # write nothing; exit code 1 if something differs

Cells marked `#| hide` or `#| export` are left out; `#| echo: false` leaves out the code, `#| output: false` the output.
Links and images are relative to nbs/ in the notebook and to the repository's root in the README.
"""
import base64
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from posixpath import normpath

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r'(\]\(|src="|href=")(?![a-z]+:|[#/])([^)"\s]+)')


def from_root(markdown: str) -> str:
    "Markdown written in nbs/, with its relative links made relative to the root"
    return LINK.sub(lambda m: m[1] + normpath("nbs/" + m[2]), markdown)


def output_parts(outputs: list[dict], figures: dict[str, bytes]) -> Iterator[str]:
    "The outputs of a cell as Markdown; pictures are added to `figures`, by file name."
    for out in outputs:
        data = {kind: "".join(text) for kind, text in out.get("data", {"text/plain": out.get("text", "")}).items()}
        if "image/png" in data:
            name = f"nbs/images/index-{len(figures) + 1}.png"
            figures[name] = base64.b64decode(data["image/png"])
            yield f"![]({name})"
        elif "text/markdown" in data: yield from_root(data["text/markdown"].strip())
        else: yield f"```text\n{data['text/plain'].rstrip()}\n```"


def convert(notebook: dict) -> dict[str, bytes]:
    "The files that `notebook` gives, by path from the root"
    parts, figures = [], {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        flags = {re.sub(r"\s+", "", flag) for flag in re.findall(r"^#\|(.*)$", source, re.M)}
        code = re.sub(r"^#\|.*\n?", "", source, flags=re.M).strip()
        if cell["cell_type"] == "markdown": parts.append(from_root(source.strip()))
        elif cell["cell_type"] == "code" and not any(re.match("hide|export|default_exp", flag) for flag in flags):
            magic, _, shell = code.partition("\n")
            block = f"```sh\n{shell}\n```" if magic.startswith("%%") else f"```python\n{code}\n```"
            if code and "echo:false" not in flags: parts.append(block)
            if "output:false" not in flags: parts += output_parts(cell["outputs"], figures)
    note = "<!-- made from nbs/index.ipynb by tools/build_readme.py -->"
    return {"README.md": "\n\n".join([note, *parts, ""]).rstrip().encode() + b"\n"} | figures


def main():
    made = convert(json.loads((ROOT / "nbs/index.ipynb").read_text(encoding="utf-8")))
    stale = [name for name, new in made.items() if not (ROOT / name).exists() or (ROOT / name).read_bytes() != new]
    if "--check" in sys.argv[1:]: sys.exit(f"stale: {', '.join(stale)}; run tools/build_readme.py" if stale else 0)
    for name in stale: (ROOT / name).write_bytes(made[name])
    print(f"written: {', '.join(stale)}" if stale else "README.md is up to date")


if __name__ == "__main__":
    main()
