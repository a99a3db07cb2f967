"""Run benchmarks: fill a database, copy it for each turn, let the contenders take turns, print the ratios."""

from __future__ import annotations

import argparse
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from tests.compat.peer import PEER_VERSION

from .cases import CASES, OURS, Case
from .data import script
from .engines import MariaDB, SqliteFiles, load, mariadb, sqlite_files
from .results import Result, machine, record
from .server import Server, server
from .sides import Contender, migrate, run

TABLES = ("accesstoken", "refreshtoken", "idtoken", "grant")
Databases = Server | MariaDB | SqliteFiles


def main() -> None:
    options = _options()
    names = list(CASES) if "all" in options.cases else options.cases
    with server(options.database_url) as source:
        for name in names:
            case = CASES[name]
            with databases_on(case.engine, source) as databases:
                result = measure(name, case, source, databases, options)
            say(result.table() + "\n")
            if options.record:
                record(result)
    say(machine())


def databases_on(engine: str, source: Server) -> AbstractContextManager[Databases]:
    """Return where a case runs: the PostgreSQL that also makes the data, or a server of another engine."""
    if engine == "postgresql":
        return nullcontext(source)
    return mariadb() if engine == "mariadb" else sqlite_files()


def measure(
    name: str, case: Case, source: Server, databases: Databases, options: argparse.Namespace
) -> Result:
    """Return what the contenders of `case` needed, round by round, each on a copy of the same data."""
    filled = fill(case.mix, options.rows, source, databases)
    contenders = [c for c in case.contenders if not options.only or c.name in (OURS, *options.only)]
    turns: dict[str, list[dict[str, Any]]] = {contender.name: [] for contender in contenders}
    for number in range(options.rounds):
        first = number % len(contenders)  # whoever begins finds the server as nobody else does
        for contender in contenders[first:] + contenders[:first]:
            measured = take_turn(contender, case, databases, options)
            turns[contender.name].append(measured)
            say(f"{name} round {number + 1} {contender.name}: {measured['seconds']:.2f} s")
            for page, taken in sorted(measured.get("pages", {}).items(), key=lambda each: each[1]):
                say(f"  {taken:7.1f} ms {page}")
        _compare_rows(case, turns)
    versions = {
        "Python": sys.version.split()[0],
        "Django": turns[contenders[0].name][0]["django"],
        "django-oauth-toolkit": PEER_VERSION,
        "on": databases.version,
    }
    return Result(name=name, case=case, rows=options.rows, turns=turns, versions=versions, filled=filled)


def fill(mix: str, rows: int, source: Server, databases: Databases) -> dict[str, int]:
    """Make the two templates: the toolkit's database, filled, and a copy of it that this project took over.

    Returns how many rows the tables have.
    """
    migrate("peer", source.create("peer"))
    source.execute("peer", script(mix, rows))
    if not isinstance(databases, Server):
        migrate("peer", databases.create("peer"))
        load(source, "peer", databases, "peer")
    migrate("ours", databases.create("ours", template="peer"))
    for side in ("peer", "ours"):
        databases.settle(side)
    return databases.count_rows("ours", TABLES)


def take_turn(
    contender: Contender, case: Case, databases: Databases, options: argparse.Namespace
) -> dict[str, Any]:
    database = databases.create("turn", template=contender.side)
    measured = run(
        contender,
        database=database,
        provider=dict(case.provider),
        window=options.window,
        requests=options.requests,
    )
    measured["left"] = databases.count_rows("turn", TABLES)
    return measured


def _compare_rows(case: Case, turns: dict[str, list[dict[str, Any]]]) -> None:
    left = {name: measured[-1]["left"] for name, measured in turns.items()}
    if case.unit == "s" and len({str(rows) for rows in left.values()}) > 1:
        say(f"the contenders did not do the same work; rows left: {left}")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "cases", nargs="+", choices=[*CASES, "all"], metavar="case", help=f"all, {', '.join(CASES)}"
    )
    parser.add_argument("--rows", type=int, default=100_000, help="access tokens in the database")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--window", type=int, default=10_000, help="rows a window of the hand-written SQL")
    parser.add_argument("--requests", type=int, default=300, help="requests a turn")
    parser.add_argument("--database-url", help="a PostgreSQL to make databases on, in place of the wheel's")
    parser.add_argument("--only", nargs="*", help="contenders to measure beside ours, in place of all")
    parser.add_argument("--record", action="store_true", help="keep the results in docs/")
    return parser.parse_args()


if __name__ == "__main__":
    main()
