"""The front door: fast, helpful, and never a traceback for a mistake of the user's."""

import io
import subprocess
import sys

import pytest

import reverie
from reverie.cli import main as front
from reverie.cli import runs
from reverie.errors import UserError


def python(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_the_overview_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--help"], ["-h"], ["help"]):
        assert front.main(words) == 0
        shown = capsys.readouterr().out
        assert all(f"\n  {verb} " in shown for verb in front.VERBS)
        assert len(shown.splitlines()) <= 25


def test_help_and_the_package_itself_load_no_jax() -> None:
    heavy = "print(sorted({'jax', 'equinox', 'gymnasium', 'numpy', 'tyro', 'rich'} & sys.modules.keys()))"
    assert python(f"import sys, reverie\n{heavy}").stdout == "[]\n"
    done = python(f"import sys\nfrom reverie.cli.main import main\nassert main(['--help']) == 0\n{heavy}")
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize("verb", front.VERBS)
def test_the_help_of_a_verb_loads_no_jax_unless_it_shows_a_method(verb: str) -> None:
    lines = [
        "import sys",
        "from reverie.cli.main import main",
        "try:",
        f"    main([{verb!r}, '--help'])",
        "except SystemExit as stop:",
        "    assert stop.code == 0",
        "assert 'jax' not in sys.modules",
    ]
    done = python("\n".join(lines))
    assert done.returncode == 0, done.stderr
    assert f"usage: reverie {verb}" in done.stdout
    assert f"reverie {verb}" in done.stdout.split("examples:")[1]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.main(["--version"]) == 0
    assert capsys.readouterr().out == f"reverie {reverie.__version__}\n"


@pytest.mark.parametrize(("verb", "hint"), [("trian", "Did you mean `train`?"), ("xyz", "The verbs are demo, train")])
def test_a_wrong_verb_is_answered_with_the_nearest(verb: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.main([verb]) == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UserError("the folder is in use.", code=75), 75, "reverie: the folder is in use.\n"),
        (KeyboardInterrupt(), 130, "reverie: interrupted.\n"),
        (PermissionError(13, "Permission denied", "/x"), 74, "Permission denied: '/x'"),
        (OSError(28, "No space left on device"), 28, "No space left on device"),
        (OSError(5, "Input/output error"), 74, "Input/output error"),
    ],
)
def test_expected_failures_are_one_message_and_a_code(
    error: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runs, "main", _raise(error))
    assert front.main(["runs"]) == code
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("error", [RuntimeError("boom"), FileNotFoundError(2, "No such file", "/x")])
def test_a_bug_keeps_its_traceback(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runs, "main", _raise(error))
    with pytest.raises(SystemExit) as stop:
        front.main(["runs"])
    shown = capsys.readouterr().err
    assert stop.value.code == 70
    assert "Traceback" in shown
    assert "please report it" in shown


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"{sys.executable} -m reverie.cli.main --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def _raise(error: BaseException):
    def fail(words: list[str]) -> int:
        raise error

    return fail


def test_an_output_that_lacks_a_letter_gets_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that knows only ASCII must not lose a score for its plus-minus."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert front.main(["--version"]) == 0
    stream.write("1 ± 2\n")
    stream.flush()
    assert stream.buffer.getvalue().endswith(b"1 ? 2\n")
