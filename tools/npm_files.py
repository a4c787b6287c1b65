"""Files of packages from npm, of exactly one version, checked against a digest: math, the 3D view and the search of the site.

Needs npm, and the network once: what was fetched is kept in ~/.cache/wfclip-docs.
"""
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

CACHE = Path.home() / ".cache/wfclip-docs"
PACKAGES = {  # version, SHA-256 of the package
    "katex": ("0.16.22", "e9e0d167db3175481cbadaff38e8d90b130f6a3ddb451a47e43c577fd511f365"),
    "3dmol": ("2.5.5", "26d91c5036d4efe78fc032c22cb692fea92bbb3cb1e65d20bf3869673fb3d8f5"),
    "iframe-worker": ("1.0.4", "e8c5d12d87829c503afba01d67772ea9f4aba5b7ae57a0c98e1917711030efbb"),
}


def package(name: str) -> Path:
    "The package as a .tgz on this machine; exits with a sentence if it cannot be had."
    version, digest = PACKAGES[name]
    kept = CACHE / f"{name}-{version}.tgz"
    if not kept.exists():
        if not shutil.which("npm"): sys.exit(f"npm is needed to fetch {name} {version} for the documentation; install Node.js.")
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(["npm", "pack", f"{name}@{version}", "--silent"], cwd=folder, text=True, capture_output=True)
            if done.returncode: sys.exit(f"npm could not fetch {name} {version}: {done.stderr.strip().splitlines()[-1:]}")
            CACHE.mkdir(parents=True, exist_ok=True)
            shutil.move(next(Path(folder).glob("*.tgz")), kept)
    if hashlib.sha256(kept.read_bytes()).hexdigest() != digest:
        sys.exit(f"{kept}: not {name} {version} as it was published; delete it and try again.")
    return kept


def unpack(name: str, wanted: tuple[str, ...], to: Path) -> None:
    "Files of a package whose paths begin with one of `wanted`, by their names into a folder; fonts into its fonts/."
    to.mkdir(parents=True, exist_ok=True)
    with tarfile.open(package(name)) as archive:
        for member in archive.getmembers():
            path = member.name.removeprefix("package/")
            if not member.isfile() or not path.startswith(wanted) or path.endswith((".ttf", ".woff")): continue
            target = to / ("fonts/" + Path(path).name if "/fonts/" in path else Path(path).name)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(archive.extractfile(member).read())  # type: ignore
