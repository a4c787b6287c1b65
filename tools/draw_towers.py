"""Draw the two towers: python tools/draw_towers.py writes nbs/images/towers.svg

The profile is that of the bundled MoSSe; everything else is boxes and arrows. The same code gives the same bytes.
"""
from pathlib import Path

from wfclip.data.dataset import load_dataset

OUT = Path(__file__).parent.parent / "nbs/images/towers.svg"
BLUE, GREEN, INK, SOFT = "#2f6db5", "#2e8b57", "#1f2933", "#6b7785"


def text(x: float, y: float, s: str, size: int = 13, fill: str = INK, anchor: str = "middle", weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" font-weight="{weight}">{s}</text>'


def box(x: float, y: float, w: float, title: str, note: str, color: str) -> str:
    return (f'<rect x="{x}" y="{y}" width="{w}" height="46" rx="7" fill="{color}" fill-opacity=".12" stroke="{color}"/>'
            + text(x + w / 2, y + 20, title, weight="bold") + text(x + w / 2, y + 36, note, 11, SOFT))


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{SOFT}" stroke-width="1.6" marker-end="url(#tip)"/>'


def crystal(x: float, y: float) -> str:
    "A Janus MoSSe layer from the side."
    parts = []
    for k in range(4):
        u = x + 30 * k
        for v, dx in ((-20, 15), (20, 15)): parts += [f'<line x1="{u}" y1="{y}" x2="{u + s * dx}" y2="{y + v}" stroke="{SOFT}" stroke-width="2"/>' for s in (1, -1)]
    for k in range(4): parts.append(f'<circle cx="{x + 30 * k}" cy="{y}" r="8" fill="#4fb0c6"/>')
    for k in range(5):
        parts += [f'<circle cx="{x - 15 + 30 * k}" cy="{y - 20}" r="6.5" fill="#f2b134"/>', f'<circle cx="{x - 15 + 30 * k}" cy="{y + 20}" r="7.5" fill="#e4693f"/>']
    return "".join(parts)


def profile(x: float, y: float, w: float, h: float) -> str:
    "The profile of MoSSe in a box, upper left corner x, y."
    data = load_dataset()
    i = next(i for i in range(len(data)) if (data.formulas[i], data.prototypes[i]) == ("MoSSe", "H-MXY"))
    p = data.profile(i).resample(128, .2)
    points = " ".join(f"{x + w * k / 127:.1f},{y + h * (p.phi.max() - v) / (p.phi.max() - p.phi.min()):.1f}" for k, v in enumerate(p.phi))
    return f'<polyline points="{points}" fill="none" stroke="{GREEN}" stroke-width="2.2"/>'


def matrix(x: float, y: float, n: int = 6, side: float = 19) -> str:
    "The similarity matrix of a batch, its diagonal the right pairs."
    shade = [[.95 if i == j else .06 + .05 * ((3 * i + 5 * j) % 5) for j in range(n)] for i in range(n)]
    return "".join(f'<rect x="{x + side * j}" y="{y + side * i}" width="{side - 2}" height="{side - 2}" fill="#7b3fa0" fill-opacity="{shade[i][j]:.2f}"/>'
                   for i in range(n) for j in range(n))


def draw() -> str:
    w, h = 960, 330
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" font-family="Helvetica, Arial, sans-serif" role="img">',
             "<title>Two towers: crystal structure and work function profile meet in one embedding space</title>",
             f'<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="6" refY="3" orient="auto"><path d="M0,0 L7,3 L0,6 z" fill="{SOFT}"/></marker></defs>',
             f'<rect width="{w}" height="{h}" rx="12" fill="white"/>']
    parts += [text(85, 36, "crystal structure", weight="bold", fill=BLUE), crystal(40, 84), arrow(160, 84, 184, 84)]
    for k, (title, note) in enumerate((("gated convolutions", "all images within 8 Å"), ("periodic attention", "363 local numbers joined"), ("equivariant pooling", "0e and 1o, mean"))):
        parts += [box(190 + 166 * k, 61, 146, title, note, BLUE), arrow(336 + 166 * k, 84, 354 + 166 * k, 84)]
    parts += [text(85, 205, "work function profile", weight="bold", fill=GREEN), profile(20, 220, 130, 80), arrow(160, 260, 184, 260)]
    for k, (title, note) in enumerate((("resample", "256 points, 0.1 Å"), ("1D ResNet", "64, 128, 256, 512"), ("average", "over z"))):
        parts += [box(190 + 166 * k, 237, 146, title, note, GREEN), arrow(336 + 166 * k, 260, 354 + 166 * k, 260)]
    parts += [text(716, 80, "p", 16, BLUE, weight="bold"), text(716, 96, "crystal", 11, SOFT), text(716, 256, "p", 16, GREEN, weight="bold"), text(716, 272, "profile", 11, SOFT)]
    parts += [arrow(716, 104, 790, 140), arrow(716, 236, 790, 200), matrix(800, 112), text(857, 100, "similarity", weight="bold"),
              text(857, 246, "contrastive loss", 12, SOFT), arrow(716, 62, 790, 42),
              text(796, 38, "work function, step with sign,", 12, INK, "start"), text(796, 54, "band edges, profile, DOS", 12, INK, "start")]
    return "\n".join(parts) + "\n</svg>\n"


if __name__ == "__main__":
    OUT.write_text(draw())
    print(OUT)
