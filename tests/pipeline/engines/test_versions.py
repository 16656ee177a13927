"""What a driver tells workers beside the graph."""

import sys
from dataclasses import replace

from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.engines import submission
from pipeline.engines.versions import Versions, installed

HERE = Versions("0.2.0", "2.77.0", "3.11")


def test_versions_of_this_installation():
    assert installed().python == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert installed().beam.startswith("2.")
    assert installed().gritmill


def test_equal_versions_do_not_differ():
    assert HERE.difference(replace(HERE)) == ""


def test_each_difference_names_both_sides():
    driver = Versions("0.3.0", "2.77.0", "3.12")
    expected = "gritmill 0.2.0 here, 0.3.0 in the driver; Python 3.11 here, 3.12 in the driver"
    assert HERE.difference(driver) == expected


def test_options_say_what_the_job_works_on(tmp_path):
    (tmp_path / "plan.json").write_bytes(b"{}")
    options = PipelineOptions(["--runner=PortableRunner"])
    submission.announce(options, "ab", "ground", str(tmp_path), str(tmp_path / "plan.json"))
    sent = options.get_all_options(drop_default=True)
    run = submission.announced_run(sent)
    assert run is not None
    assert (run.run_id, run.step, run.folder) == ("ab", "ground", str(tmp_path))
    assert run.sha256 == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert submission.announced_versions(sent) == installed()


def test_options_of_other_programs_say_nothing():
    for options in ({}, {"gritmill_versions": None}, {"gritmill_versions": "{}"}, {"gritmill_versions": "3.11"}):
        assert submission.announced_versions(options) is None
        assert submission.announced_run({"gritmill_run": options.get("gritmill_versions")}) is None
