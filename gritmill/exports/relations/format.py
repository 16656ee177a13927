"""The export `relations`: rows in the form of VSR, or conversations in that of All-Seeing v2."""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

from PIL import ImageOps

from gritmill.evaluation.blind_accuracy import ENOUGH, MOST, BlindSample
from gritmill.exports.format import ExportCounts, ExportFolder, LeftOut, LineFormat, all_parts, origin_fields
from gritmill.exports.options import RelationForm
from gritmill.exports.relations import as_v2
from gritmill.exports.relations.balance import Entry, balance
from gritmill.exports.relations.facts import Fact, Side, find_facts
from gritmill.exports.relations.wording import Statement, mirrored, state
from gritmill.reading import Sample
from pipeline.faults import CallError, DataFault
from pipeline.pack.manifest import Manifest

BLIND = "blind accuracy, per mille"
INDICATIVE = f"{BLIND}, only indicative: fewer than {ENOUGH} statements"
"""What the accuracy is counted as."""

DECOYS = "decoys that were not found"

_STATED = "samples with a statement"
_MIRROR = "-mirror"
_LIST = "relations.json"

_DESCRIPTION = """\
Each statement has one picture and is true or false (`label`, 1 or 0). Boxes decided that, and nobody reviewed it.
`basis` says what a label stands on, `measured` has its numbers. Each wording (subject, predicate, object) is as often
true as false, chosen with the seed {seed}. `blind accuracy` is the share of statements that a logistic regression on
their words answers right without the picture, with five folds by picture, on at most 20,000 of them.

{form}"""

_FORMS = {
    RelationForm.VSR: """\
`relations.jsonl` has the fields of Visual Spatial Reasoning (VSR): `image` (a file in `images/`), `image_link`,
`caption`, `label`, `relation`, `subj`, `obj`. The tests read it with a reader written from `src/data.py` of
cambridgeltl/visual-spatial-reasoning, commit b1cf884. VSR's program was not run.""",
    RelationForm.AS_V2: """\
`relations.json` is one JSON list of conversations for All-Seeing v2 (`<ref>`, `<pred>`, `<box>`) and other descendants
of LLaVA; `relations.jsonl` has the same ones line by line. Boxes are integers 0..999 of the picture padded to a square,
half of the padding on each side, as in the released data of that project. The tests parse the answers as
`scripts_asmv2/visualize_rec.py` of OpenGVLab/all-seeing does, commit 3e00ac5. Its programs were not run.""",
}

Chosen = tuple[Fact, int]
"""A fact, and a number that it shares only with the one that balances it."""


@dataclass(frozen=True)
class Relations(LineFormat):
    """Statements about pictures, true and false ones: `facts.py` says which, `balance.py` why as many of both.

    A shard's file of lines has the facts of its samples. `finish` chooses among those of all shards, writes the
    statements in the order of the samples, and removes the images of which none is left.

    Raises:
      CallError: `quads` without images, or the form does not exist.
    """

    file_name = "relations.jsonl"

    def __post_init__(self) -> None:
        if self.options.form not in set(RelationForm):
            raise CallError(f"--form: {self.options.form}: no such form; use one of {', '.join(RelationForm)}")
        if self.options.quads and not self.options.images:
            raise CallError("--quads: writes mirrored images; leave out --no-images")

    @property
    def description(self) -> str:
        return _DESCRIPTION.format(seed=self.options.seed, form=_FORMS[self._form])

    @cached_property
    def _form(self) -> RelationForm:
        return RelationForm(self.options.form)

    def check_run(self, manifest: Manifest) -> None:
        """See `ChecksRun`. Of a phrase with one box, it must be known that it has no other one."""
        if self.options.with_decoys and not manifest.fingerprints.decoys:
            raise CallError(
                "--with-decoys: the run was packed without decoys; leave it out, or run gritmill ground again with "
                "--set decoys.number=4, which computes only these, and then gritmill pack --fresh"
            )
        selection = manifest.configuration.get("selection", {})
        for option, limits in (
            ("phrase", selection.get("boxes_per_phrase") == 1),
            ("pair", selection.get("boxes_per_pair")),
        ):
            if limits:
                raise CallError(
                    f"--to relations: the boxes per {option} of this run are limited, so that none is known to be the "
                    f"only one of its phrase; pack it again without selection.boxes_per_{option}"
                )

    def truth_lines(self, counts: ExportCounts) -> list[str]:
        """See `MeasuresTruth`."""
        if not counts["statements"]:
            return [f"blind accuracy: not known: no statements: {why_none(self.options.quads)}"]
        return [
            f"blind accuracy: {counts[name] / 1000:.1%} of the statements are answered right by their words alone; a "
            f"coin answers 50%{name.removeprefix(BLIND)}"
            for name in (BLIND, INDICATIVE)
            if name in counts
        ]

    def image_name(self, sample: Sample) -> str:
        return self._image_of(sample.key)

    def _image_of(self, name: str) -> str:
        """VSR looks for the names of files in one folder."""
        return f"images/{name}.jpg" if self._form is RelationForm.VSR else self.image_path.format(name)

    def rows(self, sample: Sample, folder: ExportFolder, counts: ExportCounts) -> Iterator[dict[str, Any]]:
        """Yields one line with the facts of a sample, and what all of its statements have."""
        record = sample.record
        facts = find_facts(record, counts, self.options.with_decoys)
        if self.options.with_decoys:  # 0 says that all were found
            counts.update({DECOYS: sum(fact.basis == "not_found" for fact in facts)})
        if not facts:
            raise LeftOut("captions without a fact that boxes decide")
        if any(map(self._makes_quads, facts)):
            folder.write(self._image_of(sample.key + _MIRROR), _mirror(sample))
        counts.update(name for fact in facts for name in ("facts", f"facts: {fact.kind}"))
        yield {
            "picture": hashlib.blake2b(sample.jpeg, digest_size=8).hexdigest(),
            "facts": [vars(one) | {"subject": vars(one.subject), "object": vars(one.object)} for one in facts],
            "source_caption": sample.caption,
            **{name: record[name] for name in ("key", "width", "height")},
            **origin_fields(record),
        }

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> ExportCounts:
        """Writes the statements.

        Raises:
          DataFault: more of them are answered without the picture than balanced ones can be.
        """
        counts = ExportCounts({"statements": 0, "true": 0, _STATED: 0})
        blind = BlindSample(self.options.seed)
        with (
            balance(self._entries(shards, folder), self.options.seed, counts) as chosen,
            folder.publish(self.file_name) as file,
        ):
            for line, facts in _choose(all_parts(shards, folder), chosen):
                self._delete_images(line, facts, folder)
                for statement, row in self._rows_of(line, facts):
                    blind.add(statement.text, statement.label, line["picture"])
                    counts.update((f"statements: {statement.fact.kind}", "statements"))
                    counts["true"] += statement.label
                    file.write(f"{json.dumps(row, ensure_ascii=False)}\n".encode())
                counts[_STATED] += bool(facts)
            counts.update(self._measure(blind))
        if self._form is RelationForm.AS_V2:
            folder.write_list(_LIST, folder.lines(self.file_name))
        return counts

    def _measure(self, blind: BlindSample) -> ExportCounts:
        if not len(blind):
            return ExportCounts()
        accuracy = blind.accuracy()
        enough = len(blind) >= ENOUGH
        if enough and accuracy > MOST and not self.options.allow_blind:
            raise DataFault(
                f"--to relations: {accuracy:.1%} of the statements are answered right without the picture, more than "
                f"{MOST:.0%}; export with --allow-blind if you want them nevertheless"
            )
        return ExportCounts({BLIND if enough else INDICATIVE: round(1000 * accuracy)})

    def _makes_quads(self, fact: Fact) -> bool:
        return self.options.quads and fact.kind == "relation" and fact.predicate == "left of"

    def _entries(self, shards: Sequence[int], folder: ExportFolder) -> Iterator[Entry]:
        for line in all_parts(shards, folder):
            for fact in map(_read_fact, line["facts"]):
                yield Entry(fact.wording, line["picture"], fact.holds, self._makes_quads(fact))

    def _delete_images(self, line: Mapping[str, Any], facts: Sequence[Chosen], folder: ExportFolder) -> None:
        """Removes the images that no statement is about."""
        if not self.options.images:
            return
        unused = [] if facts else [line["key"]]
        if self.options.quads and not any(self._makes_quads(fact) for fact, _ in facts):
            unused.append(line["key"] + _MIRROR)
        folder.delete(*map(self._image_of, unused))

    def _rows_of(self, line: Mapping[str, Any], chosen: Sequence[Chosen]) -> Iterator[tuple[Statement, dict[str, Any]]]:
        number = count()
        for fact, match in chosen:
            for statement in state(fact, match):
                yield statement, self._row(line, statement, match, next(number))
                if self._makes_quads(fact):
                    mirror = mirrored(statement)
                    yield mirror, self._row(line, mirror, match, next(number), _MIRROR)

    def _row(
        self, line: Mapping[str, Any], statement: Statement, match: int, number: int, mirror: str = ""
    ) -> dict[str, Any]:
        image = self._image_of(line["key"] + mirror)
        size = line["width"], line["height"]
        fact, subject, object_ = statement.fact, statement.subject, statement.object
        what = {
            "kind": fact.kind,
            "basis": fact.basis,
            "subj_boxes": subject.boxes,
            "obj_boxes": object_.boxes,
            "subj_span": subject.span,
            "obj_span": object_.span,
            "measured": json.dumps(statement.measure(*size)),  # a text, as in the record: its keys differ
            "match": f"{match:016x}",
            **({"mirrored": bool(mirror)} if self.options.quads else {}),
            **{
                name: line[name]
                for name in ("source_caption", "key", "width", "height", "uid", "source_key", "url", "meta")
            },
        }
        if self._form is RelationForm.AS_V2:
            turns = as_v2.converse(statement, *size)
            fields = {"id": f"{line['uid']}-{number}", "image": image, "label": int(statement.label), **turns}
            return {**fields, **what}
        return {
            "image": image.removeprefix("images/"),
            "image_link": line["url"],
            "caption": statement.text,
            "label": int(statement.label),
            "relation": statement.predicate,
            "subj": subject.name,
            "obj": object_.name,
            **what,
        }


def why_none(quads: bool) -> str:
    """Why an export has no statements, and what gives some."""
    cure = "more pictures may give" if quads else "`--quads` or more pictures may give"
    return f"no wording was both true and false; {cure} statements"


def _choose(
    lines: Iterator[dict[str, Any]], chosen: Iterator[tuple[int, int]]
) -> Iterator[tuple[dict[str, Any], list[Chosen]]]:
    """Each line, with its facts that are chosen."""
    start = 0
    place, match = next(chosen, (-1, 0))
    for line in lines:
        facts = []
        for here, fact in enumerate(line["facts"], start):
            if here == place:
                facts.append((_read_fact(fact), match))
                place, match = next(chosen, (-1, 0))
        start += len(line["facts"])
        yield line, facts


def _read_fact(fact: Mapping[str, Any]) -> Fact:
    sides = {
        name: Side(fact[name]["name"], tuple(map(tuple, fact[name]["boxes"])), tuple(fact[name]["span"]))
        for name in ("subject", "object")
    }
    return Fact(**{**fact, **sides})


def _mirror(sample: Sample) -> bytes:
    """The picture with left and right exchanged. Writing there is mirrored, too."""
    target = io.BytesIO()
    image = sample.image
    ImageOps.mirror(image).save(target, "JPEG", quality=95, icc_profile=image.info.get("icc_profile"))
    return target.getvalue()
