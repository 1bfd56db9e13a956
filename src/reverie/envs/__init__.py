"""Environments: any Gymnasium world as rows of arrays, alone (`make`) or many at once (`pool`). No jax in here."""

import gymnasium

from reverie.envs.toy import register

register()
gymnasium.register("reverie/Dream-v0", entry_point="reverie.api:dream", vector_entry_point="reverie.api:vector_dream")
