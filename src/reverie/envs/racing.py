"""CarRacing drawn faster, to the same pixels.

Gymnasium asks of each of a track's 800 polygons, in Python, whether it is near the view, and draws a picture at every
simulator step, of which a repeated action shows only the last. Here numpy finds the polygons in view, Gymnasium's own
functions draw them in their order, and a picture is drawn when it is handed out.
"""

import functools
import importlib
import math
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pygame

from reverie.envs.config import EnvironmentConfig
from reverie.envs.environment import Env, World
from reverie.envs.make import wrapped

ACTIONS = ("steer", "gas", "brake")
MARGIN = 4.0
"""Pixels beyond the screen that count as in view, for coordinates are rounded and edges smoothed."""


def painted(env: Env, config: EnvironmentConfig) -> World:
    """CarRacing with the common wrappers, drawn by a `Painter`."""
    painter = Painter(env.unwrapped)
    world = replace(wrapped(env, config, limited=True), labels={"action": ACTIONS})
    return world if config.pixels else replace(world, env=Seen(world.env, painter))


class Painter:
    """Takes over the drawing of a simulator; its `step` then draws nothing and gives no observation."""

    def __init__(self, simulator: Any) -> None:
        self.simulator = simulator
        self.racing: Any = importlib.import_module("gymnasium.envs.box2d.car_racing")
        self.screen = (self.racing.WINDOW_W, self.racing.WINDOW_H)
        self.scene, self.picture = pygame.Surface(self.screen), pygame.Surface(self.screen)
        self.score = 0.0
        """The reward so far when the last step would have drawn, which is before its own cost is taken off."""
        self.road: list[Any] = []
        simulator._render = self._render

    def observation(self) -> np.ndarray:
        """What the last step would have drawn."""
        return self._draw((self.racing.STATE_W, self.racing.STATE_H), self.score, skids=False)

    def _render(self, mode: str) -> np.ndarray | None:
        if mode == "state_pixels":
            self.score = self.simulator.reward
            return None
        return self._draw((self.racing.VIDEO_W, self.racing.VIDEO_H), self.simulator.reward, skids=True)

    def _draw(self, size: tuple[int, int], score: float, *, skids: bool) -> np.ndarray:
        """As `CarRacing._render` does, whose y points up until the indicators are drawn."""
        simulator, (width, height) = self.simulator, self.screen
        car, angle = simulator.car, -simulator.car.hull.angle
        start, scale = max(1 - simulator.t, 0), self.racing.SCALE
        zoom = 0.1 * scale * start + self.racing.ZOOM * scale * min(simulator.t, 1)
        x, y = pygame.Vector2(-car.hull.position[0] * zoom, -car.hull.position[1] * zoom).rotate_rad(angle)
        place = (width / 2 + x, height / 4 + y)

        simulator.surf = self.scene
        self._draw_ground(zoom, place, angle)
        car.draw(self.scene, zoom, place, angle, skids)
        pygame.surfarray.pixels2d(self.picture)[:] = pygame.surfarray.pixels2d(self.scene)[:, ::-1]

        simulator.surf = self.picture
        simulator._render_indicators(width, height)
        text = _written(f"{score:04.0f}")
        self.picture.blit(text, text.get_rect(center=(60, height - height * 2.5 / 40.0)))
        return simulator._create_image_array(self.picture, size)

    def _draw_ground(self, zoom: float, place: tuple[float, float], angle: float) -> None:
        simulator, (width, height), edge = self.simulator, self.screen, self.racing.PLAYFIELD
        if simulator.road_poly is not self.road:
            self._survey()
        reach = math.hypot(width / 2, height * 3 / 4) / zoom  # from the car, to the farthest corner of the screen
        if max(abs(simulator.car.hull.position[0]), abs(simulator.car.hull.position[1])) + reach < edge - 1:
            self.scene.fill([int(part) for part in simulator.bg_color])
        else:
            self.scene.fill(0)
            field = [(edge, edge), (edge, -edge), (-edge, -edge), (-edge, edge)]
            simulator._draw_colored_polygon(self.scene, field, simulator.bg_color, zoom, place, angle, clip=False)
        for index in self._in_view(zoom, place, angle):
            corners, color = self.polygons[index]
            simulator._draw_colored_polygon(self.scene, corners, [int(part) for part in color], zoom, place, angle)

    def _survey(self) -> None:
        """Gathers what stands still in an episode: patches of grass, and the road on top of them."""
        side, self.road = self.racing.GRASS_DIM, self.simulator.road_poly
        patches = [(side * column, side * row) for column in range(-20, 20, 2) for row in range(-20, 20, 2)]
        grass = [[(x + side, y), (x, y), (x, y + side), (x + side, y + side)] for x, y in patches]
        self.polygons = [*((square, self.simulator.grass_color) for square in grass), *self.road]
        corners = np.array([corners for corners, _ in self.polygons], np.float64)
        self.corners = np.ascontiguousarray(corners.transpose(2, 1, 0))  # x and y, corner, polygon

    def _in_view(self, zoom: float, place: tuple[float, float], angle: float) -> np.ndarray:
        """The polygons whose upright boxes touch the screen, in the order in which they are drawn."""
        cosine, sine = zoom * math.cos(angle), zoom * math.sin(angle)
        across, up = self.corners
        x, y = cosine * across - sine * up + place[0], sine * across + cosine * up + place[1]
        width, height = self.screen
        beside = (x.max(axis=0) < -MARGIN) | (x.min(axis=0) > width + MARGIN)
        beyond = (y.max(axis=0) < -MARGIN) | (y.min(axis=0) > height + MARGIN)
        return np.flatnonzero(~(beside | beyond))


class Seen(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Hands out pictures; around everything that steps, so that none is drawn in vain."""

    def __init__(self, env: Env, painter: Painter) -> None:
        super().__init__(env)
        self.painter = painter

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        _, info = self.env.reset(seed=seed, options=options)
        return self.painter.observation(), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        _, reward, terminated, truncated, info = self.env.step(action)
        return self.painter.observation(), reward, terminated, truncated, info


@functools.lru_cache(maxsize=1024)
def _written(text: str) -> pygame.Surface:
    """White on black; a font takes longer to open than all else that is written with it."""
    pygame.font.init()
    font = pygame.font.Font(pygame.font.get_default_font(), 42)
    return font.render(text, True, (255, 255, 255), (0, 0, 0))
