from pipeline.engines import lasting_faults


def test_the_driver_reads_what_a_worker_of_its_run_says(tmp_path):
    folder = str(tmp_path)
    assert lasting_faults.read(folder, "1") == ""
    lasting_faults.write(folder, "1", "worker on x: no")
    assert lasting_faults.read(folder, "1") == "worker on x: no"
    assert lasting_faults.read(folder, "2") == ""
