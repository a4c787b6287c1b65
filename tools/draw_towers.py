"""Draw the two towers: python tools/draw_towers.py writes nbs/images/towers.svg

The profile is that of the bundled MoSSe; everything else is boxes and arrows. The same code gives the same bytes.
"""
from pathlib import Path

from wfclip.data.dataset import load_dataset

OUT = Path(__file__).parent.parent / "nbs/images/towers.svg"
BLUE, GREEN, INK, SOFT = "#2f6db5", "#2e8b57", "#1f2933", "#6b7785"


def text(x: float, y: float, s: str, size: int = 13, fill: str = INK, anchor: str = "middle", bold: bool = False) -> str:
    weight = "bold" if bold else "normal"
    return (f'<text x="{x}" y="{y}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{s}</text>')


def box(x: float, y: float, title: str, note: str, color: str, w: int = 146, h: int = 46, size: int = 13) -> str:
    return (f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="7" fill="{color}" fill-opacity=".12" stroke="{color}"/>'
            + text(x + w // 2, y + h // 2 + (-3 if note else 5), title, size, bold=True)
            + (text(x + w // 2, y + h - 10, note, size - 2, SOFT) if note else ""))


def line(x1: float, y1: float, x2: float, y2: float, more: str = 'stroke-width="2"') -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{SOFT}" {more}/>'


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    return line(x1, y1, x2, y2, 'stroke-width="1.6" marker-end="url(#tip)"')


def dot(x: float, y: float, r: float, color: str) -> str:
    return f'<circle cx="{x}" cy="{y}" r="{r}" fill="{color}"/>'


def crystal(x: float, y: float) -> str:
    "A Janus MoSSe layer from the side."
    metal = [x + 30 * k for k in range(4)]
    bonds = [line(u, y, u + dx, y + dy) for u in metal for dx in (-15, 15) for dy in (-20, 20)]
    atoms = [dot(u, y, 8, "#4fb0c6") for u in metal]
    for u in [x - 15 + 30 * k for k in range(5)]: atoms += [dot(u, y - 20, 6.5, "#f2b134"), dot(u, y + 20, 7.5, "#e4693f")]
    return "".join(bonds + atoms)


def profile(x: float, y: float, w: float, h: float) -> str:
    "The profile of MoSSe in a box, upper left corner x, y."
    data = load_dataset()
    i = next(i for i in range(len(data)) if (data.formulas[i], data.prototypes[i]) == ("MoSSe", "H-MXY"))
    phi = data.profile(i).resample(128, .2).phi
    height = y + h * (phi.max() - phi) / (phi.max() - phi.min())
    points = " ".join(f"{x + w * k / 127:.1f},{v:.1f}" for k, v in enumerate(height))
    return f'<polyline points="{points}" fill="none" stroke="{GREEN}" stroke-width="2.2"/>'


def matrix(x: float, y: float, n: int = 6, side: float = 19) -> str:
    "The similarity matrix of a batch, its diagonal the right pairs."
    cell = lambda i, j, a: (f'<rect x="{x + side * j}" y="{y + side * i}" width="{side - 2}" height="{side - 2}" '
                            f'fill="#7b3fa0" fill-opacity="{a:.2f}"/>')
    return "".join(cell(i, j, .95 if i == j else .06 + .05 * ((3 * i + 5 * j) % 5)) for i in range(n) for j in range(n))


def tower(y: float, steps: list[tuple[str, str]], color: str) -> list[str]:
    "Three boxes with arrows before, between and behind them."
    parts = [arrow(160, y, 184, y)]
    for k, (title, note) in enumerate(steps):
        parts += [box(190 + 166 * k, y - 23, title, note, color), arrow(336 + 166 * k, y, 354 + 166 * k, y)]
    return parts


def page(w: int, h: int, title: str, parts: list[str]) -> str:
    "A drawing on a white panel, which a dark page shows as well as a light one."
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" '
            'font-family="Helvetica, Arial, sans-serif">', f"<title>{title}</title>",
            '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="6" refY="3" orient="auto">'
            f'<path d="M0,0 L7,3 L0,6 z" fill="{SOFT}"/></marker></defs>',
            f'<rect width="{w}" height="{h}" rx="12" fill="white"/>']
    return "\n".join(head + parts) + "\n</svg>\n"


def draw() -> str:
    parts = [text(85, 36, "crystal structure", fill=BLUE, bold=True), crystal(40, 84)]
    parts += tower(84, [("gated convolutions", "all images within 8 Å"), ("periodic attention", "with local geometry"),
                        ("equivariant pooling", "0e and 1o, mean")], BLUE)
    parts += [text(85, 205, "work function profile", fill=GREEN, bold=True), profile(20, 220, 130, 80)]
    parts += tower(260, [("resample", "256 points, 0.1 Å"), ("1D ResNet", "64, 128, 256, 512"), ("average", "over z")], GREEN)
    for y, name, color in ((80, "crystal", BLUE), (256, "profile", GREEN)):
        parts += [text(716, y, "p", 16, color, bold=True), text(716, y + 16, name, 11, SOFT)]
    parts += [arrow(716, 104, 790, 140), arrow(716, 236, 790, 200), matrix(800, 112), arrow(716, 62, 790, 42),
              text(857, 100, "similarity", bold=True), text(857, 246, "contrastive loss", 12, SOFT),
              text(796, 38, "work function, step with sign,", 12, INK, "start"),
              text(796, 54, "band edges, profile, DOS", 12, INK, "start")]
    return page(960, 330, "Two towers: crystal structure and work function profile meet in one embedding space", parts)


if __name__ == "__main__":
    OUT.write_text(draw(), encoding="utf-8")
    print(OUT)
