"""What a driver tells workers beside the graph."""

import sys
from dataclasses import replace

from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.engines import submission
from pipeline.engines.versions import Versions, installed
from pipeline.files.lease import Lease

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


def test_options_say_what_the_job_works_on():
    options = PipelineOptions(["--runner=PortableRunner"])
    lease = Lease("/runs/a b", 7, "ab")
    submission.announce(options, lease, "ground")
    sent = options.get_all_options(drop_default=True)
    assert submission.announced_run(sent) == submission.Submission("ground", lease)
    assert submission.announced_versions(sent) == installed()


def test_options_of_other_programs_say_nothing():
    for options in ({}, {"gritmill_versions": None}, {"gritmill_versions": "{}"}, {"gritmill_versions": "3.11"}):
        assert submission.announced_versions(options) is None
        assert submission.announced_run({"gritmill_run": options.get("gritmill_versions")}) is None
