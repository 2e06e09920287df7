"""The installer's authorities are trusted beside the well-known ones."""

import ssl
from pathlib import Path

import certifi
import pytest

from exchange_push_operator.adapters.ca_bundle import ca_bundle
from exchange_push_operator.core.errors import SpecError


def test_nothing_is_added_where_nothing_is_given() -> None:
    with ca_bundle(None) as path:
        assert path is None


def test_both_are_trusted(tmp_path: Path) -> None:
    known = certifi.contents()
    last = known[known.rindex("-----BEGIN CERTIFICATE-----") :]
    own = tmp_path / "ca.pem"
    own.write_text(f"# Fabrikam Würzburg\n{last}", encoding="utf-8")
    with ca_bundle(own) as path:
        assert path is not None
        ssl.create_default_context(cafile=path)
        text = Path(path).read_text(encoding="ascii")
    assert text.count("BEGIN CERTIFICATE") == known.count("BEGIN CERTIFICATE") + 1
    assert not Path(path).exists()


@pytest.mark.parametrize("content", ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_file_without_certificates_is_named(tmp_path: Path, content: str) -> None:
    own = tmp_path / "ca.pem"
    own.write_text(content, encoding="utf-8")
    with pytest.raises(SpecError, match=f"--ca-file {own}: "), ca_bundle(own):
        pass
