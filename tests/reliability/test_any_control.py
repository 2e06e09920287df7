"""Change control in any story: nothing is written that nobody approved, and nobody asks in vain.

A small number of stories here; `make nightly` tells 1,000.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from reliability.any_control import Story, stories
from reliability.controlled import Control

pytestmark = pytest.mark.lab

# Each is told twice, and takes passes enough for a week of windows.
_NUMBER = max(settings().max_examples // 10, 1)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=_NUMBER)
@given(stories)
def test_every_write_was_published_approved_and_inside_of_a_window_and_the_end_is_that_of_manage(
    story: Story,
) -> None:
    controlled, managed = Control(story, manages=False), Control(story, manages=True)
    controlled.tell()
    managed.tell()
    assert controlled.end() == managed.end()
