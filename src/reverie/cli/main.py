"""`reverie VERB ...`: finds the verb, and turns every expected failure into one message and a documented exit code.

    0    done                           64, 65  input that cannot be read
    1    not so, or not sound           70      internal error: the traceback stays, please report it
    2    usage or configuration         74      input or output error
    28   the disk is full               75      stopped, can be resumed (or another process holds the run)
    78   something is not installed     130, 141, 143  SIGINT, nobody reads the output, SIGTERM; after a checkpoint

`reverie --help` answers without importing a verb, let alone jax: the table below is all it needs.
"""

import contextlib
import difflib
import importlib
import sys
import traceback
from collections.abc import Sequence
from typing import Any, cast

import reverie
from reverie.data import durable
from reverie.errors import UserError

VERBS = {
    "demo": ("demo", "train, evaluate and film an agent on CartPole-v1 in a few minutes"),
    "train": ("train", "train a method in an environment; the same line again resumes the run"),
    "resume": ("resume", "continue a run from its newest checkpoint"),
    "play": ("play", "play the dream of a run in the browser, beside reality"),
    "studio": ("studio", "look at every run of a folder in the browser, and play its dreams"),
    "eval": ("evaluate", "play episodes with a trained agent and print its score"),
    "plan": ("plan", "play episodes in which every action is planned in the model of a run"),
    "bench": ("bench", "measure all planners on one trained model, side by side"),
    "runs": ("runs", "list the runs of a folder"),
    "data": ("data", "list, show or verify the experience that runs keep"),
    "envs": ("envs", "list the known suites of environments, or check one environment"),
    "estimate": ("estimate", "count a method's parameters and memory without training it"),
    "film": ("film", "write a run's pictures: how it learned, how it acts, how it dreams"),
    "export": ("export", "leave of a run what acts and dreams, small enough to be passed on"),
    "verify": ("verify", "run a claim of the results folder again and say whether it holds"),
}
"""Verb: (its module in this folder, its line in the help)."""

EXAMPLES = (
    "reverie play weights/doom",
    "reverie train dreamer3 CartPole-v1 --size nano --budget 5m",
)


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    with contextlib.suppress(AttributeError, ValueError):  # a stream of somebody else's
        cast(Any, sys.stdout).reconfigure(errors="replace")
    try:
        return dispatch(list(sys.argv[1:] if words is None else words))
    except UserError as error:
        return fail(str(error), error.code)
    except KeyboardInterrupt:
        return fail("interrupted.", 130)
    except BrokenPipeError:  # `reverie runs | head`: the reader has what it wanted
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.close()
        return 0
    except OSError as error:
        if error.errno not in durable.REFUSALS:
            raise SystemExit(bug()) from error
        code, remedy = durable.REFUSALS[error.errno]  # outside of our own writing, which explains itself
        return fail(f"{error}. {remedy} A run resumes.", code)
    except Exception as error:
        raise SystemExit(bug()) from error


def dispatch(words: list[str]) -> int:
    """Hands the words after the verb to its module."""
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if words[0] == "--version":
        print(f"reverie {reverie.__version__}")
        return 0
    verb, *rest = words
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else f"The verbs are {', '.join(VERBS)}."
        raise UserError(f"there is no verb {verb!r}. {hint} See `reverie --help`.")
    return importlib.import_module(f"reverie.cli.{VERBS[verb][0]}").main(rest)


def overview() -> str:
    """The text of `reverie --help`."""
    verbs = "\n".join(f"  {verb:<10}{line}" for verb, (_, line) in VERBS.items())
    examples = "\n".join(f"  {line}" for line in EXAMPLES)
    return (
        "usage: reverie VERB ...\n\nWorld models: learned simulators that an agent can dream in.\n\n"
        f"{verbs}\n\nexamples:\n{examples}\n\n"
        "`reverie VERB --help` explains a verb; `reverie --version` prints the version."
    )


def fail(message: str, code: int) -> int:
    """One message for the user, no traceback; if nobody reads it, the code says it."""
    with contextlib.suppress(OSError):
        print(f"reverie: {message}", file=sys.stderr)
    return code


def bug() -> int:
    """An unexpected error keeps its traceback."""
    traceback.print_exc()
    return fail("this is a bug in reverie, not in what you did: please report it with the lines above.", 70)


if __name__ == "__main__":
    sys.exit(main())
