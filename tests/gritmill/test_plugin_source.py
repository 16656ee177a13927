import gritmill
from tests import plugin_source, sample_pairs


def test_a_kind_of_a_package_goes_through_a_whole_run(tmp_path, install):
    install(*plugin_source.ENTRY)
    texts = ["a red dog", "", plugin_source.BROKEN, "a green cat"]
    source = plugin_source.write(tmp_path / "a.bin", zip((p.data for p in sample_pairs.drawn(4)), texts, strict=True))
    config = {**sample_pairs.settings("caption-parser", "tests.plugin_detectors:factory"), "source": {"kind": "zipped"}}
    ledger = gritmill.run(config, inputs=[source], output=tmp_path / "out")["ledger"]
    assert (ledger["read"], ledger["written"]) == (4, 2)
    assert (ledger["rejected"], ledger["failed"]) == ({"no_caption": 1}, {"read": {"broken_row": 1}})
