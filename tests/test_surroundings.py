"""Commands in odd surroundings answer, or say in a sentence why not; `python tests/surroundings.py` tries many more."""
import os
import shutil
import sys

import pytest
from surroundings import QUICK, mounted, prepare, try_one

pytestmark = pytest.mark.skipif(os.name != "posix" or not shutil.which("bash"), reason="the shell of this system is another one")


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("surroundings"))


@pytest.mark.parametrize("name", [name for name in QUICK if "folder: " not in name or "empty" in name])
def test_surroundings(name, here):
    if "full" in name and not os.path.exists("/dev/full"): pytest.skip(f"{sys.platform} has no /dev/full")
    if "names" in name and sys.platform != "linux": pytest.skip(f"on {sys.platform} a name is text")
    assert not try_one(name, here)


@pytest.mark.parametrize("name", [name for name in QUICK if "folder: " in name and "empty" not in name])
def test_full_and_read_only_disks(name, here):
    try:
        with mounted(here): wrong = try_one(name, here)
    except PermissionError as reason: pytest.skip(str(reason))
    assert not wrong
