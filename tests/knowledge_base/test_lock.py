import subprocess
import sys
from pathlib import Path

import pytest

from knowledge_base.errors import IngestRunning
from knowledge_base.lock import only_one

HOLDER = """
import sys
from pathlib import Path
from knowledge_base.lock import only_one
with only_one(Path(sys.argv[1]), 0):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_kept_out_until_it_ends_even_by_being_killed(tmp_path: Path):
    store = tmp_path / "knowledge.db"
    command = [sys.executable, "-c", HOLDER, str(store)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=Path(__file__).parents[2]) as holder:  # noqa: S603
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(IngestRunning, match=r"did not finish within 0\.3 seconds"), only_one(store, 0.3):
            pass
        holder.kill()
    with only_one(store, 5):
        pass


def test_is_free_again_after_an_error(tmp_path: Path):
    with pytest.raises(LookupError), only_one(tmp_path / "knowledge.db", 0):
        raise LookupError
    with only_one(tmp_path / "knowledge.db", 0):
        pass
