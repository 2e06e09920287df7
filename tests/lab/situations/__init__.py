"""The situations that a resource can be in, each played on the lab in process.

``python -m lab.situations`` records the object of each into ``objects/``: what tools outside read
(kstatus, Argo CD, Flux) is tried on these. A test compares them with the code of today.
"""

from lab.situations.recording import OBJECTS, record, recorded
from lab.situations.stories import SITUATIONS, Situation

__all__ = ["OBJECTS", "SITUATIONS", "Situation", "record", "recorded"]
