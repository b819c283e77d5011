"""How large an installation of moodal is: its packages, and the size of each.

    python benchmarks/installation.py [--extra serve] [--keep FOLDER] [--bytecode]

A virtual environment is made in a temporary folder, and the checkout is installed into it under
constraints.txt, as `pip install .` does. Counted are the files that each package lists; pip and
setuptools are left out, and so is the bytecode that Python writes for faster imports, which
``--bytecode`` adds.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOT_COUNTED = ("pip", "setuptools", "wheel")


def size_of(package: Distribution, bytecode: bool) -> int:
    """Return the bytes of the files of a package; of links and doubled names, once."""
    files = {Path(str(file.locate())) for file in package.files or ()}
    if not bytecode:
        files = {file for file in files if file.suffix != ".pyc"}
    return sum(file.stat().st_size for file in files if file.is_file())


def install(folder: Path, extra: str) -> list[Distribution]:
    """Install the checkout into a new environment, and return the packages there."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    what = f"{ROOT}[{extra}]" if extra else str(ROOT)
    command = [str(python), "-m", "pip", "install", "--quiet", "--compile"]
    subprocess.run([*command, "-c", str(ROOT / "constraints.txt"), what], check=True)
    [place] = folder.glob("Lib/site-packages" if sys.platform == "win32" else "lib/*/site-packages")
    found = distributions(path=[str(place)])
    return [package for package in found if package.name not in NOT_COUNTED]


def main() -> None:
    """Print the packages, the largest first, and their sum."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--extra", default="", help="of pyproject.toml, or several with commas")
    parser.add_argument("--keep", type=Path, help="the environment's folder, which stays")
    parser.add_argument("--bytecode", action="store_true", help="count it, too")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        packages = install(args.keep or Path(name), args.extra)
        sizes = {f"{p.name} {p.version}": size_of(p, args.bytecode) for p in packages}
    for package, size in sorted(sizes.items(), key=lambda one: -one[1]):
        print(f"{size / 1e6:8.1f} MB  {package}")
    print(f"{sum(sizes.values()) / 1e6:8.1f} MB in {len(sizes)} packages")


if __name__ == "__main__":
    main()
