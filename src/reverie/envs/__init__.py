"""Environments: any Gymnasium world as rows of arrays, alone (`make`) or many at once (`pool`). No jax in here."""

from reverie.envs.toy import register

register()
