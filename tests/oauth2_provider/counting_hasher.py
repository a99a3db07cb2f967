"""A password hasher that counts what its time goes into: cost as a number, whatever else the machine does."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class CountingHasher(PBKDF2PasswordHasher):
    """PBKDF2 with few rounds, for the setting PASSWORD_HASHERS."""

    iterations = 1000
    rounds = 0

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        CountingHasher.rounds += iterations or self.iterations
        return super().encode(password, salt, iterations)


COUNTING_HASHER = f"{__name__}.{CountingHasher.__name__}"


def hashes_in(work: Callable[[], None]) -> float:
    """Return how many password hashes `work` cost."""
    CountingHasher.rounds = 0
    work()
    return CountingHasher.rounds / CountingHasher.iterations
