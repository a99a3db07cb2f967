"""Errors of the maintenance app; the docstring is the message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class MaintenanceError(Exception):
    """Maintenance failed."""

    def __str__(self) -> str:
        return super().__str__() or (self.__doc__ or "").strip()


class UnknownOperation(MaintenanceError):  # noqa: N818 - the fact
    """There is no such operation."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"There is no operation {name!r}. There are: {', '.join(known)}.")
        self.name = name


class InvalidArguments(MaintenanceError):  # noqa: N818 - the fact
    """The arguments do not fit the operation. `errors` are messages by argument ("" for the whole)."""

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        self.errors = {name: list(messages) for name, messages in errors.items()}
        parts = [
            f"{name}: {message}" if name else message
            for name, messages in self.errors.items()
            for message in messages
        ]
        super().__init__(" ".join(parts))


class RunNotStored(MaintenanceError):  # noqa: N818 - the fact
    """The database refused a run again and again, though no other of the same work is active."""

    def __init__(self, operation: str) -> None:
        super().__init__(
            f"The database does not take this run of {operation}, and no other of the same work is active. Does "
            "the user who asks for it still exist?"
        )


class TransitionRefused(MaintenanceError):  # noqa: N818 - the fact
    """A run cannot go from its status to the one asked for."""

    def __init__(self, run_id: object, status: str, wanted: str) -> None:
        super().__init__(f"Run {run_id} is {status}; it cannot become {wanted}.")
        self.status = status
        self.wanted = wanted


class NeededByWhole(TransitionRefused):
    """A shard cannot be cancelled alone: the whole goes on and would fail for it."""

    def __init__(self, run_id: object, status: str, whole: object) -> None:
        super().__init__(run_id, status, "cancelled")
        self.whole = whole

    def __str__(self) -> str:
        return f"This run is a shard of a run that goes on and needs it. Cancel the whole: run {self.whole}."


class TooSoon(MaintenanceError):  # noqa: N818 - the fact
    """The operation ran less than its minimum interval ago."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(
            f"{name} ran less than its minimum interval ago; it may run again in {seconds:.0f} s."
        )
        self.seconds = seconds


class FencedOut(MaintenanceError):  # noqa: N818 - the fact
    """Another worker has taken the run over."""


class SliceSpent(MaintenanceError):  # noqa: N818 - the fact
    """What went wrong was tried again until the slice was over. `error` names its class."""

    def __init__(self, error: str) -> None:
        super().__init__(f"{error} came again and again until the slice was over")


class ShardFailed(MaintenanceError):  # noqa: N818 - the fact
    """A shard of the run failed or was cancelled; its own page says why. A retry goes on with it."""
