"""As many true as false statements for each wording, over any number of pictures.

The facts of all pictures are in a temporary database of SQLite, on disk, so memory does not grow with them.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from gritmill.exports.format import ExportCounts
from pipeline.faults import EnvironmentFault

TWICE = "facts that another caption of the picture has too, left out"
DOUBTFUL = "facts on which two captions of the picture disagree, left out"
SURPLUS = "facts without a picture that shows the opposite, left out"


@dataclass(frozen=True)
class Entry:
    """What balance needs to know of a fact. alone: it needs no other fact, because its picture is also mirrored."""

    wording: str
    picture: str
    holds: bool
    alone: bool = False


def number(*parts: object) -> int:
    """63 bits that depend on the parts, and look like chance."""
    text = "\n".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) >> 1


# A wording with 5 true and 3 false facts has the ranks 1 to 5 and 1 to 3: those of 1 to 3 are pairs.
_CHOOSE = """
CREATE TABLE once AS
    SELECT wording, MIN(place) AS place, MIN(holds) AS holds, MAX(holds) AS most, MAX(alone) AS alone, COUNT(*) AS n
    FROM fact GROUP BY wording, picture;
DROP TABLE fact;
CREATE TABLE ranked AS
    SELECT wording, place, alone, ROW_NUMBER() OVER (PARTITION BY wording, holds ORDER BY shuffle(place), place) AS rank
    FROM once WHERE holds = most;
CREATE TABLE chosen AS
    SELECT wording, place, rank, alone FROM (SELECT *, COUNT(*) OVER (PARTITION BY wording, rank) AS n FROM ranked)
    WHERE n = 2 OR alone;
"""


@contextmanager
def balance(entries: Iterable[Entry], seed: int, counts: ExportCounts) -> Iterator[Iterator[tuple[int, int]]]:
    """Chooses facts so that each wording has as many that hold as others. Which ones depends on the seed.

    Adds those that are left out to the counts.

    Yields:
      The place of each chosen fact among the entries, ascending, and a number that it shares only with the fact that
      balances it, the choice for `wording.state`.
    """
    try:
        with closing(sqlite3.connect("", isolation_level=None)) as database:
            # Bounded memory; a crash leaves nothing behind in any case.
            database.executescript("PRAGMA journal_mode = OFF; PRAGMA temp_store = FILE; PRAGMA cache_size = -65536;")
            database.create_function("shuffle", 1, lambda place: number(seed, place), deterministic=True)
            database.execute("CREATE TABLE fact (wording INT, picture INT, holds INT, alone INT, place INT)")
            rows = (
                (number(one.wording), number(one.picture), one.holds, one.alone, place)
                for place, one in enumerate(entries)
            )
            database.execute("BEGIN")
            database.executemany("INSERT INTO fact VALUES (?, ?, ?, ?, ?)", rows)
            database.execute("COMMIT")
            database.executescript(_CHOOSE)
            twice, doubtful, sound = database.execute(
                "SELECT SUM((n - 1) * (holds = most)), SUM(n * (holds < most)), SUM(holds = most) FROM once"
            ).fetchone()
            (chosen,) = database.execute("SELECT COUNT(*) FROM chosen").fetchone()
            left_out = {TWICE: twice or 0, DOUBTFUL: doubtful or 0, SURPLUS: (sound or 0) - chosen}
            counts.update({name: number_ for name, number_ in left_out.items() if number_})
            found = database.execute(
                "SELECT place, wording, CASE alone WHEN 1 THEN -place ELSE rank END FROM chosen ORDER BY place"
            )
            yield ((place, number(seed, wording, which)) for place, wording, which in found)
    except sqlite3.OperationalError as error:
        raise EnvironmentFault(f"--to relations: temporary database: {error}; set TMPDIR to another folder") from error
