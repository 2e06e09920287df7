"""What servers say: every text in every language, with the same values in it."""

from __future__ import annotations

import json
import string
from pathlib import Path

import pytest

from lab.exchange import texts

TABLE: dict[str, dict[str, str]] = json.loads(
    Path(texts.__file__).with_name("texts.json").read_text("utf-8")
)
OTHERS = [culture for culture in texts.CULTURES if culture != "en-US"]
DATE = "date"  # not a text, but how one is made


def values(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("culture", OTHERS)
def test_every_text_is_there_with_its_values(culture: str) -> None:
    english = {key: values(text) for key, text in TABLE["en-US"].items() if key != DATE}
    found = {key: values(text) for key, text in TABLE[culture].items() if key != DATE}
    assert found == english


@pytest.mark.parametrize("culture", OTHERS)
def test_every_text_is_a_translation(culture: str) -> None:
    """A test in this language would otherwise prove nothing."""
    english, other = TABLE["en-US"], TABLE[culture]
    assert [key for key in english if english[key] == other[key]] == []


def test_a_culture_that_nobody_translated_speaks_english() -> None:
    assert texts.say("sv-SE", "no_certificate") == texts.say("en-US", "no_certificate")


def test_a_status_without_a_phrase_is_told_by_its_number() -> None:
    assert "(418)" in texts.http_status("de-DE", 418)
    assert "(999)" in texts.http_status("zh-CN", 999)
