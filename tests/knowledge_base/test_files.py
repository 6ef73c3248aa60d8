import os
from pathlib import Path

import pytest

from knowledge_base.errors import DocumentRejected
from knowledge_base.files import Scan, is_below, place_of, read, scan


def write(path: Path, text: str = "text") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names(found: Scan, root: Path) -> list[str]:
    return [os.path.relpath(file.path, root.resolve()) for file in found.files]


def test_finds_what_is_read_in_the_order_of_names(tmp_path: Path):
    for name in ("b.md", "a/z.txt", "a/b/c.pdf", "d.png", "e", "f.HTML"):
        write(tmp_path / name)
    assert names(scan([tmp_path]), tmp_path) == ["a/b/c.pdf", "a/z.txt", "b.md", "f.HTML"]


def test_passes_over_what_is_hidden_or_installed(tmp_path: Path):
    for name in (".git/a.md", ".hidden.md", "node_modules/x/readme.md", "__pycache__/a.txt", "shown.md"):
        write(tmp_path / name)
    assert names(scan([tmp_path]), tmp_path) == ["shown.md"]


def test_a_hidden_folder_that_is_given_is_read(tmp_path: Path):
    write(tmp_path / ".notes/a.md")
    assert names(scan([tmp_path / ".notes"]), tmp_path) == [".notes/a.md"]


def test_a_given_file_is_read_whatever_its_name(tmp_path: Path):
    found = scan([write(tmp_path / "page.rtf")])
    assert names(found, tmp_path) == ["page.rtf"]
    assert found.files[0].root == str(tmp_path.resolve())


def test_links_inside_are_followed_once_and_others_reported(tmp_path: Path):
    write(tmp_path / "kb/real/a.md")
    write(tmp_path / "outside/secret.md")
    (tmp_path / "kb/alias.md").symlink_to("real/a.md")
    (tmp_path / "kb/folder").symlink_to("real")
    (tmp_path / "kb/loop").symlink_to(".")
    (tmp_path / "kb/away.md").symlink_to("../outside/secret.md")
    (tmp_path / "kb/away").symlink_to("../outside")
    (tmp_path / "kb/gone.md").symlink_to("nothing.md")
    (tmp_path / "kb/gone.png").symlink_to("nothing.png")
    found = scan([tmp_path / "kb"])
    assert names(found, tmp_path) == ["kb/real/a.md"]
    reasons = {Path(failure.path).name: failure.reason for failure in found.failures}
    assert set(reasons) == {"away.md", "away", "gone.md"}
    assert reasons["gone.md"] == "is a link to something that does not exist"
    assert "leads out of the folder" in reasons["away"]


def test_what_is_gone_is_told_from_what_is_elsewhere_or_unknown():
    found = Scan(covered=["/kb"], uncertain=["/kb/closed"], paths={"/kb/a.md"})
    assert found.is_gone("/kb/b.md")
    assert not found.is_gone("/kb/a.md")
    assert not found.is_gone("/kb/closed/c.md")
    assert not found.is_gone("/kb2/d.md")


def test_missing_paths_are_listed_as_given(tmp_path: Path):
    found = scan([tmp_path / "no", tmp_path / "no.md"])
    assert [Path(given).name for given, _ in found.missing] == ["no", "no.md"]
    assert found.failures == []


def test_reads_no_more_than_allowed(tmp_path: Path):
    path = write(tmp_path / "a.md", "x" * 2_000_000)
    assert len(read(str(path), 2_000_000)) == 2_000_000
    with pytest.raises(DocumentRejected, match="is too large: 2 MB, and at most 1 MB are read"):
        read(str(path), 1 << 20)


def test_a_file_that_vanished_meanwhile(tmp_path: Path):
    with pytest.raises(DocumentRejected, match="cannot be read: No such file"):
        read(str(tmp_path / "a.md"), 10)


def test_places_begin_with_the_root():
    assert str(place_of("/x/kb/a/b.md", "/x/kb")) == "kb/a/b.md"
    assert str(place_of("/a.md", "/")) == "root/a.md"


def test_a_name_that_is_no_text_is_refused():
    with pytest.raises(DocumentRejected, match="rename it"):
        place_of("/kb/\udcff.md", "/kb")


def test_below():
    assert is_below("/kb/a", "/kb")
    assert is_below("/kb", "/kb")
    assert is_below("/kb", "/")
    assert not is_below("/kb2", "/kb")
