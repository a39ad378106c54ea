import pytest

from asclepius import keys
from asclepius.errors import StudyError


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path):
    path = tmp_path / "deep" / "study.key"
    keys.ensure(path)
    first = keys.load(path)
    keys.ensure(path)
    assert keys.load(path) == first
    assert len(first) == 32
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "abc", "zz" * 32, "ab" * 31])
def test_a_damaged_key_is_refused(tmp_path, text):
    (tmp_path / "k").write_text(text)
    with pytest.raises(StudyError, match="64 hexadecimal"):
        keys.load(tmp_path / "k")


def test_a_missing_key_is_refused(tmp_path):
    with pytest.raises(StudyError, match="missing"):
        keys.load(tmp_path / "k")


def test_pseudonyms_differ_by_key_and_by_purpose():
    tokens = {
        keys.token(keys.derive(key, purpose), "PAT-1") for key in (b"a" * 32, b"b" * 32) for purpose in ("x", "y")
    }
    assert len(tokens) == 4
