import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.phrases.markup import hide_markup


@pytest.mark.parametrize(
    ("caption", "hidden"),
    [
        ("A dog", "A dog"),
        ("<b>A dog</b>", " | A dog |  "),
        ('<a href="x">A dog</a><br/>', " |          A dog |   |   "),
        ("Hollywood&#8217;s dog &amp; cat", "Hollywood      ’s dog     & cat"),
        ("women&#39;s caf&eacute;&nbsp;table", "women    's caf       é      table"),
        ("<PERSON> and <Brand Name>", "<PERSON> and <Brand Name>"),
        ("a <!-- note --> dog", "a  |            dog"),
        ("5 < 6 > 4, A & B, R&D; <3", "5 < 6 > 4, A & B, R&D; <3"),
        ("x <b", "x <b"),
    ],
)
def test_a_bar_stands_for_each_tag_and_entity(caption, hidden):
    assert hide_markup(caption) == hidden


@given(st.text(st.sampled_from("<>/&;#ab 1x-!"), max_size=40))
def test_offsets_stay_and_no_tag_is_left(caption):
    hidden = hide_markup(caption)
    assert len(hidden) == len(caption)
    assert not re.search(r"</?[ab][^<>a-z]*>", hidden)
