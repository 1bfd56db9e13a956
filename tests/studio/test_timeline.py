"""The tree of moments: the first to follow stays on the branch, others leave it."""

import numpy as np

from reverie.studio import timeline
from reverie.studio.timeline import Timeline

NONE = np.zeros(5, np.float32)


def grown() -> Timeline:
    """0 - 1 - 2 - 3, and 1 - 4 - 5."""
    tree = Timeline(100)
    tree.add(-1, "begin", None, "s0", NONE)
    for parent in (0, 1, 2, 1, 4):
        tree.add(parent, "dream", np.array([parent]), f"after {parent}", NONE, temperature=0.5)
    return tree


def test_paths_branches_and_depths() -> None:
    tree = grown()
    assert [moment.number for moment in tree.path(5)] == [0, 1, 4, 5]
    assert [moment.branch for moment in tree.moments] == [0, 0, 0, 0, 1, 1]
    assert [moment.depth for moment in tree.moments] == [0, 1, 2, 3, 2, 3]
    assert tree.branches == [(-1, 3), (1, 5)]
    assert tree.tip(0) == 3
    assert len(tree) == 6


def test_dice_are_the_moments_own_unless_given() -> None:
    tree = grown()
    assert [moment.dice for moment in tree.moments] == list(range(6))
    assert tree.add(5, "dream", NONE, None, NONE, dice=77).dice == 77


def test_steps_since_it_looked() -> None:
    tree = grown()
    assert [moment.dreamt for moment in tree.moments] == [0, 1, 2, 3, 2, 3]
    looked = tree.add(5, "watch", NONE, None, NONE)
    assert looked.dreamt == 0
    changed = tree.add(tree.add(looked.number, "dream", NONE, None, NONE).number, "edit", None, None, NONE)
    assert (changed.dreamt, changed.depth) == (1, 5)


def test_what_is_changed_by_hand_begins_a_branch_and_may_be_changed_again() -> None:
    tree = grown()
    changed = tree.add(3, "edit", None, "first", NONE)
    assert (changed.branch, changed.depth) == (2, 3)
    assert tree.is_last(changed.number)
    again = tree.change(changed.number, "second", NONE + 1)
    assert tree[changed.number] is again
    assert (again.state, again.number, again.branch, again.dice) == ("second", 6, 2, changed.dice)
    assert tree.add(again.number, "edit", None, "third", NONE).branch == 2, "of another slider"
    assert tree.add(again.number + 1, "dream", NONE, None, NONE).branch == 2
    assert not tree.is_last(again.number)


def test_the_outline_has_a_picture_of_every_tip() -> None:
    about = grown().outline(4, lambda tip: f"picture {tip}")
    assert (about["at"], about["branch"]) == (4, 1)
    assert [(it["parent"], it["leaves"], it["depth"], it["picture"]) for it in about["branches"]] == [
        (-1, 0, 3, "picture 3"),
        (0, 1, 3, "picture 5"),
    ]


def test_it_is_full_before_memory_is() -> None:
    tree = Timeline(timeline.FULL // 3)
    tree.add(-1, "begin", None, None, NONE)
    assert not tree.is_full
    tree.add(0, "dream", NONE, None, NONE)
    tree.add(1, "dream", NONE, None, NONE)
    assert tree.is_full
