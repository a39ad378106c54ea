"""Members of a release as they lie in it."""

import zipfile

import pytest

from asclepius.errors import StudyError
from asclepius.resample.read import Container
from asclepius.resample.settings import ResampleSettings


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_comes_back_and_a_changed_byte_of_it_does_not(tmp_path, method):
    path, content = tmp_path / "shard.zip", bytes(range(256)) * 40
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a/0", b"first")
        archive.writestr("a/1", content)
    with Container(path, ResampleSettings()) as container:
        assert container._bytes("a/1") == content
        assert container._bytes("a/0") == b"first"
    data = bytearray(path.read_bytes())
    data[120] ^= 1
    path.write_bytes(data)
    with Container(path, ResampleSettings()) as container, pytest.raises(StudyError, match="member a/1 is missing or"):
        container._bytes("a/1")
