from training.scene_grounder.evaluate import hits
from transforms.records import Box

LEFT = (0.0, 0.0, 0.4, 0.4)


def box(corners):
    return Box(0, *corners, 0.9)


def test_a_box_counts_for_one_thing_and_the_best_ones_match_first():
    near = (0.08, 0.0, 0.48, 0.4)
    assert hits([box(LEFT)], [box(LEFT), box(near)]) == 1
    assert hits([box(near), box(LEFT)], [box(LEFT), box(near)]) == 2
    assert hits([], [box(LEFT)]) == hits([box(LEFT)], []) == 0


def test_the_border_is_an_iou_of_a_half():
    half = (0.0, 0.0, 0.4, 0.2)
    assert hits([box(half)], [box(LEFT)]) == 1
    assert hits([box((0.0, 0.0, 0.4, 0.19))], [box(LEFT)]) == 0
