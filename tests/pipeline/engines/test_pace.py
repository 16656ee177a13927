from pipeline.engines.pace import Pace, Window


def test_before_something_is_done_there_is_no_pace() -> None:
    pace = Pace()
    for now in (0, 10, 5000):
        pace.add(now, 1024, 0.25)
        assert (pace.rate(now), pace.seconds_left(now)) == (None, None)


def test_the_pace_is_that_of_this_run_whatever_was_done_before() -> None:
    pace = Pace()
    pace.add(100, 9000, 0.9)
    pace.add(200, 9100, 0.91)
    assert pace.rate(200) == 1.0
    assert round(pace.seconds_left(200) or 0) == 900


def test_the_time_left_counts_down_between_two_commits_and_never_grows() -> None:
    pace = Pace()
    pace.add(0, 0, 0.0)
    pace.add(60, 100, 0.5)
    told = []
    for now in range(60, 120, 10):
        pace.add(now, 100, 0.5)
        told.append(pace.seconds_left(now))
    assert told == [60, 50, 40, 30, 20, 10]


def test_a_moment_that_has_passed_is_not_told() -> None:
    pace = Pace()
    pace.add(0, 0, 0.0)
    pace.add(60, 100, 0.5)
    assert pace.seconds_left(121) is None
    assert pace.rate(121) == 100 / 60


def test_only_the_last_minutes_count() -> None:
    window = Window(seconds=100)
    window.add(0, 0)
    for now in range(1000, 1100, 10):  # a thousand seconds for nothing, then one in ten
        window.add(now, now / 10)
    for now in range(1100, 1300, 10):  # then one a second
        window.add(now, now)
    assert window.per_second(1290) == 1.0


def test_one_step_that_takes_longer_than_the_window_is_a_pace_too() -> None:
    window = Window(seconds=100)
    window.add(0, 0)
    window.add(1000, 10)
    window.add(3000, 20)
    assert window.per_second(3000) == 10 / 2000


def test_a_run_that_has_stood_still_for_the_whole_window_has_no_pace() -> None:
    window = Window(seconds=100)
    window.add(0, 0)
    window.add(10, 10)
    assert (window.per_second(110), window.per_second(111)) == (1.0, None)


def test_a_value_that_falls_changes_nothing() -> None:
    window = Window()
    for now, value in ((0, 0), (10, 10), (11, 4), (20, 20)):
        window.add(now, value)
    assert window.per_second(20) == 1.0
