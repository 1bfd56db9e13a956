"""`reverie play RUN`: the studio, opened on one run."""

from reverie.cli.studio import play


def main(words: list[str]) -> int:
    return play(words)
