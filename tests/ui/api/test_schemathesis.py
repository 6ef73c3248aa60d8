"""Made-up requests, right and wrong, against what the API's description promises; a short run of the benchmark."""

from pathlib import Path

import pytest

from benchmarks.fuzz_api import fuzz, settings_in


@pytest.mark.timeout(300)
async def test_the_api_keeps_what_its_description_promises(tmp_path: Path):
    outcome = await fuzz(settings_in(tmp_path), examples=4, seed=1, phases="examples,fuzzing")
    assert outcome.code == 0, outcome.output
    assert outcome.cases > 100
