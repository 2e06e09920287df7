"""The same lines give the same answers: by the stand-in, and by the host script in PowerShell."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import pytest

from lab.exchange.pwsh.process import PowerShellProcess
from lab.exchange.runner import allow_list
from lab.exchange.texts import CULTURES
from lab_tests import fake_powershell
from lab_tests.host_lines import PASSWORD, Story, stories, tell

STORIES = stories()
each_story = pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)


@each_story
def test_the_stand_in_answers_as_written(story: Story) -> None:
    heard = tell(story)
    assert heard.answers == list(story.answers)
    assert heard.exit == story.exit


@pytest.mark.powershell
@each_story
def test_the_host_script_answers_as_written(story: Story, powershell: str) -> None:
    heard = tell(story, partial(PowerShellProcess, powershell=powershell))
    assert heard.answers == list(story.answers)
    assert heard.exit == story.exit
    assert heard.ready.keys() == {"ready", "ps", "pid", "bits", "host", "version"}


def test_every_allowed_cmdlet_is_run_and_succeeds_somewhere() -> None:
    done = {
        call["cmdlet"]
        for story in STORIES
        for request, answer in zip(story.lines, story.answers, strict=False)
        if isinstance(request, dict) and request["op"] == "run"
        for call, result in zip(request["calls"], answer["results"], strict=False)
        if result["ok"]
    }
    assert done == set(allow_list())


def test_every_language_of_servers_has_its_say() -> None:
    assert {story.culture for story in STORIES} == set(CULTURES)


def test_no_answer_repeats_a_password() -> None:
    said = json.dumps([story.answers for story in STORIES], ensure_ascii=False)
    sent = json.dumps([story.lines for story in STORIES], ensure_ascii=False)
    for secret in (json.dumps(PASSWORD, ensure_ascii=False)[1:-1], "canary-password"):
        assert secret in sent
        assert secret not in said


@pytest.mark.lab
@pytest.mark.skipif(sys.platform == "win32", reason="the program is a shell script")
@each_story
def test_what_the_lab_puts_around_powershell_changes_no_answer(
    story: Story, tmp_path: Path
) -> None:
    """Prelude, stage 0, host script and the model behind the stub functions, without PowerShell."""
    heard = tell(story, partial(PowerShellProcess, powershell=fake_powershell.program(tmp_path)))
    assert heard.answers == list(story.answers)
    assert heard.exit == story.exit
    assert heard.ready["host"] == "EX1"
