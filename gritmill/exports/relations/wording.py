"""A fact -> the sentences that say it, or its opposite."""

from dataclasses import dataclass

from gritmill.exports.relations.facts import CONVERSE, EXACTLY, NUMBERS, RULES, THERE, Fact, Side
from transforms.claims import geometry
from transforms.claims.verdicts import Measured
from transforms.phrases.class_names import plural

_OPPOSITE = CONVERSE | {converse: predicate for predicate, converse in CONVERSE.items()}


@dataclass(frozen=True)
class Statement:
    """A sentence, and whether it is true."""

    fact: Fact
    subject: Side
    predicate: str
    object: Side
    label: bool

    @property
    def text(self) -> str:
        """The sentence, as VSR has it: "The SUBJECT is RELATION the OBJECT.\""""
        return _TEXTS.get(self.predicate, _relation)(self)

    def opposite(self) -> "Statement":
        """The predicate exchanged for the one with the opposite meaning. Only for those of `CONVERSE`."""
        return Statement(self.fact, self.subject, _OPPOSITE[self.predicate], self.object, not self.label)

    def measure(self, width: int, height: int) -> Measured:
        """The numbers that the label depends on. width, height: of the picture in pixels."""
        if self.predicate not in RULES:
            return {"boxes": len(self.subject.boxes)}
        boxes = geometry.square((*self.subject.boxes, *self.object.boxes), width, height)
        return RULES[self.predicate].measure(*boxes)


def state(fact: Fact, choice: int) -> list[Statement]:
    """The statements of a fact: if its predicate has an opposite, one with each of both. By the same choice, two facts
    of opposite truth and the same wording become the same words with opposite labels.

    choice: any number. An odd one swaps subject and object of predicates that have an opposite.
    """
    statement = Statement(fact, fact.subject, fact.predicate, fact.object, fact.holds)
    if fact.predicate not in CONVERSE:
        return [statement]
    if choice % 2:
        statement = Statement(fact, fact.object, fact.predicate, fact.subject, not fact.holds)
    return [statement, statement.opposite()]


def mirrored(statement: Statement) -> Statement:
    """The same words about the picture with left and right exchanged, of a relation between left and right."""
    subject, object_ = map(_mirror, (statement.subject, statement.object))
    return Statement(statement.fact, subject, statement.predicate, object_, not statement.label)


def _mirror(side: Side) -> Side:
    return Side(side.name, tuple((1 - x2, y1, 1 - x1, y2) for x1, y1, x2, y2 in side.boxes), side.span)


def _relation(statement: Statement) -> str:
    return f"The {statement.subject.name} is {statement.predicate} the {statement.object.name}."


def _count(statement: Statement) -> str:
    return f"There {counted(statement.subject.name, statement.object.name)} in the picture."


def counted(noun: str, number: str) -> str:
    """ "is exactly one dog", "are exactly two dogs"."""
    return f"is {EXACTLY} one {noun}" if number == NUMBERS[1] else f"are {EXACTLY} {number} {plural(noun)}"


def _existence(statement: Statement) -> str:
    return f"There is {statement.subject.name} in the picture."


_TEXTS = {EXACTLY: _count, THERE: _existence}
