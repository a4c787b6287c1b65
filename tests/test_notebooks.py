"""Every notebook runs from top to bottom, with the rules of nbdev_test, in a process of its own."""
import pytest
from project import NAMES, NOTEBOOKS, python

CODE = """
import sys
from pathlib import Path
from nbdev.config import get_config
from nbdev.test import test_nb
ok, seconds = test_nb(Path(sys.argv[1]), skip_flags=get_config().tst_flags.split(), basepath=get_config().config_path)
sys.exit(not ok)
"""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_notebook(path, tmp_path):
    python("-c", CODE, path, cwd=path.parent, OMP_NUM_THREADS="1", IPYTHONDIR=str(tmp_path), NO_COLOR="1")
