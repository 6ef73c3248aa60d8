"""Pages that nobody wrote: as many and as long as a benchmark needs, the same for the same seed."""

import random
from pathlib import Path

SUBJECTS = ("ledger", "parcel", "beacon", "harvest", "lantern", "orchard", "gearbox", "compass", "mosaic", "turbine")
VERBS = ("moves", "checks", "stores", "renews", "splits", "counts", "sends", "signs", "locks", "maps")
DETAILS = ("weekly", "monthly", "twice", "once", "slowly", "safely", "by hand", "after review", "before noon")


def write_pages(folder: Path, *, count: int, seed: int = 7) -> None:
    """`count` Markdown files in `folder`, each of about 150 words under one heading."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)  # noqa: S311 (the same pages each time)
    for number in range(count):
        (folder / f"page-{number:05}.md").write_text(_page(number, chance))


def _page(number: int, chance: random.Random) -> str:
    lines = [f"# {chance.choice(SUBJECTS).title()} {number}", ""]
    for _ in range(4):
        lines += [" ".join(_sentence(number, chance) for _ in range(5)), ""]
    return "\n".join(lines)


def _sentence(number: int, chance: random.Random) -> str:
    subject, other = chance.sample(SUBJECTS, 2)
    figure = chance.randrange(2, 900)
    return f"The {subject} of unit {number} {chance.choice(VERBS)} {figure} {other}s {chance.choice(DETAILS)}."
