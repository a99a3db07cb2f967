"""A site that puts models of its own in the place of the provider's."""

from __future__ import annotations
