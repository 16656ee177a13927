"""The statements of a row: {"subject": [0, 8], "predicate": "near", "object": [[14, 19]], "true": true}.

The fields are those of a claim in the record, so the claims of a record are statements, too. docs/evaluation.md defines
each field.
"""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Self

from pydantic import Field, model_validator

from gritmill.evaluation.sets.fields import Fields
from gritmill.evaluation.sets.truth import Statement
from transforms.claims.check_ranks import RANKS
from transforms.claims.word_lists import read_list
from transforms.records import AT_LEAST, EXACTLY, NONE, CharSpan, Claim, ClaimKind
from transforms.wording import suggestion

_COUNTS = frozenset({EXACTLY, AT_LEAST, NONE})


class StatementFields(Fields):
    """The JSON object. Without `words`, they are unknown. `object`: null or missing if it is the picture."""

    subject: CharSpan
    predicate: str
    object: tuple[CharSpan, ...] | None = None
    number: Annotated[int, Field(ge=0)] = 0
    negated: bool = False
    words: CharSpan | None = None
    true: bool | None = None
    optional: bool = False

    @model_validator(mode="after")
    def _check_predicate(self) -> Self:
        name, between_things = self.predicate, relations()
        if name not in between_things | _places() | _COUNTS | RANKS.keys():
            known = sorted(between_things | _places() | _COUNTS | RANKS.keys())
            raise ValueError(f"predicate {name}: no such name; {suggestion(name, known)}")
        if bool(self.object) != (name in between_things):
            raise ValueError(f"{name}: {'an object is missing' if name in between_things else 'it has no object'}")
        if not self.number and name in {EXACTLY, AT_LEAST, *RANKS}:
            raise ValueError(f"{name}: the number is missing; it starts at 1")
        return self

    def spans(self) -> Iterator[CharSpan]:
        """The spans of all its noun chunks."""
        yield from (self.subject, *(self.object or ()))


@cache
def relations() -> frozenset[str]:
    """The predicates that lead to an object."""
    lists = read_list("predicates")
    return frozenset(name for kind in ("prepositions", "verbs", "predicative", "mutual") for name in lists[kind])


@cache
def _places() -> frozenset[str]:
    """The predicates that lead to the picture."""
    return frozenset(read_list("predicates")["places"])


def to_statement(fields: StatementFields) -> Statement:
    """The statement. The words of a bare plural are the noun, which ends the subject; see `Claim.is_bare_plural`."""
    words = fields.words or (fields.subject[0], fields.subject[0])
    objects = tuple(offset for span in fields.object or () for offset in span)
    name = fields.predicate
    kind = ClaimKind.COUNT if name in _COUNTS else ClaimKind.RANK if name in RANKS else ClaimKind.RELATION
    claim = Claim(kind, *words, *fields.subject, name, fields.number, fields.negated, objects)
    return Statement(claim, fields.true, fields.optional)
