"""What the documentation says is there."""

import re
from pathlib import Path

import pytest

from agent.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def test_every_setting_is_documented_and_every_documented_setting_exists():
    text = (ROOT / "docs" / "configuration.md").read_text()
    documented = set(re.findall(r"^\| `([A-Z_]+)`", text, flags=re.MULTILINE))
    known = {str(field.validation_alias or f"ATTUNE_{name.upper()}") for name, field in Settings.model_fields.items()}
    assert documented == known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path):
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


def test_the_design_names_every_module_of_the_rooms_it_lists():
    design = (ROOT / "docs" / "design.md").read_text()
    unnamed = [
        path.name
        for room in ("agent", "tools", "knowledge_base")
        for path in (ROOT / room).glob("*.py")
        if path.name != "__init__.py" and path.name not in design
    ]
    assert unnamed == []
