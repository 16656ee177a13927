import pytest
import spacy

from transforms.phrases.parser import load_parser


def test_load_parser_refuses_what_it_cannot_use(tmp_path):
    with pytest.raises(OSError, match="no_such_pipeline"):
        load_parser("no_such_pipeline")
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ValueError, match="has no parser"):
        load_parser(str(tmp_path / "blank"))


def test_load_parser_refuses_a_language_without_noun_chunks(tmp_path):
    nlp = spacy.blank("xx")
    nlp.add_pipe("parser").add_label("nsubj")
    nlp.initialize()
    nlp.to_disk(tmp_path / "xx")
    with pytest.raises(ValueError, match="no noun chunks"):
        load_parser(str(tmp_path / "xx"))


def test_load_parser_leaves_out_what_noun_chunks_do_not_need(parser, tmp_path):
    nlp = spacy.load(parser)
    nlp.add_pipe("entity_ruler")
    nlp.to_disk(tmp_path / "more")
    assert load_parser(str(tmp_path / "more")).pipe_names == ["morphologizer", "parser"]
