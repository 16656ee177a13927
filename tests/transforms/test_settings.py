import pytest
from pydantic import ValidationError

from transforms.detectors.settings import DetectorSettings
from transforms.settings import FilterSettings, PhraseSettings, SelectionSettings, TextSettings


@pytest.mark.parametrize("section", [DetectorSettings, FilterSettings, PhraseSettings, SelectionSettings, TextSettings])
def test_an_unknown_key_is_refused_and_a_section_is_frozen(section):
    with pytest.raises(ValidationError, match="no_such_key"):
        section(no_such_key=1)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(section(), next(iter(section.model_fields)), "x")


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (DetectorSettings, {"floor": 1.5}),
        (DetectorSettings, {"floor": -0.1}),
        (DetectorSettings, {"batch": 0}),
        (DetectorSettings, {"candidates": 0}),
        (DetectorSettings, {"device": "gpu"}),
        (DetectorSettings, {"precision": "float64"}),
        (DetectorSettings, {"span_score": "median"}),
        (DetectorSettings, {"threads": 0}),
        (SelectionSettings, {"nms_iou": 2}),
        (SelectionSettings, {"boxes_per_pair": 0}),
        (TextSettings, {"spans": "shortest"}),
        (TextSettings, {"dialect": []}),
    ],
)
def test_values_out_of_range_are_refused(section, values):
    with pytest.raises(ValidationError, match=next(iter(values))):
        section(**values)


@pytest.mark.parametrize("device", ["auto", "cpu", "mps", "cuda", "cuda:3"])
def test_devices_have_torchs_names(device):
    assert DetectorSettings(device=device).device == device


def test_one_name_is_a_list_of_one():
    assert TextSettings(dialect="kosmos2").dialect == ("kosmos2",)
    assert TextSettings(dialect=["kosmos2", "kosmos2:training"]).dialect == ("kosmos2", "kosmos2:training")
    assert PhraseSettings(drop_lists="picture").drop_lists == ("picture",)
    assert PhraseSettings(drop_lists=[]).drop_lists == ()
