"""Programs that run on either side, each in its own interpreter; none of them imports anything from outside here."""

from __future__ import annotations
