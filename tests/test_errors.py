import pytest

from reverie.errors import UserError


def test_a_user_error_is_its_message_and_an_exit_code():
    error = UserError("No run in runs/a. Train one first: `reverie train`.", code=64)
    assert (str(error), error.code) == ("No run in runs/a. Train one first: `reverie train`.", 64)


def test_usage_is_the_usual_reason():
    assert UserError("what").code == 2


def test_the_code_is_named():
    with pytest.raises(TypeError):
        UserError("what", 64)  # pyright: ignore[reportCallIssue]
