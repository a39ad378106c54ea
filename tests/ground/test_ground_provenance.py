import os

from asclepius import provenance


def test_a_file_deep_inside_changes_the_digest_of_the_tree(tmp_path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "x.dcm").write_bytes(b"1")
    first = provenance.tree_digest(tmp_path)
    assert provenance.tree_digest(tmp_path) == first
    (deep / "y.dcm").write_bytes(b"2")
    second = provenance.tree_digest(tmp_path)
    os.utime(deep / "x.dcm", ns=(1, 1))
    assert len({first, second, provenance.tree_digest(tmp_path)}) == 3


def test_a_loop_of_links_ends(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert provenance.tree_digest(tmp_path)


def test_the_fingerprint_sees_code_of_imported_modules_but_no_docstring(tmp_path, monkeypatch):
    package = tmp_path / "asclepius"
    (package / "room").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "room" / "__init__.py").write_text("")
    (package / "room" / "command.py").write_text("def run():\n    from asclepius.room.deep import x\n")
    (package / "other.py").write_text("a = 1\n")
    monkeypatch.setattr(provenance, "PACKAGE", package)

    def now(text):
        (package / "room" / "deep.py").write_text(text)
        provenance.fingerprint.cache_clear()
        provenance._code.cache_clear()
        return provenance.fingerprint("room.command")

    first = now('"""Old."""\nx = 1\n')
    assert now('"""New."""\n# why\nx = 1\n') == first
    assert now("x = 2\n") != first
    (package / "other.py").write_text("a = 2\n")
    assert now("x = 1\n") == first
    (package / "room" / "table.csv").write_text("a\n")
    assert now("x = 1\n") != first
