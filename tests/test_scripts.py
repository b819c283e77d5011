"""Every benchmark and tool can be imported: what they take from moodal is still there."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IMPORT = """
import importlib.util, pathlib, sys
sys.path.insert(0, sys.argv[1])
faults = []
for name in sys.argv[2:]:
    path = pathlib.Path(sys.argv[1]) / f"{name}.py"  # not by its name: the library has a site, too
    spec = importlib.util.spec_from_file_location(f"script_{name}", path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] in ("moodal", *sys.argv[2:]):  # others are optional
            faults.append(f"{name}: {error}")
    except Exception as error:
        faults.append(f"{name}: {type(error).__name__}: {error}")
print("\\n".join(faults))
"""


@pytest.mark.parametrize("folder", ["benchmarks", "tools"])
def test_every_script_can_be_imported(folder):
    names = sorted(path.stem for path in (ROOT / folder).glob("*.py"))
    assert names
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, str(ROOT / folder), *names],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
