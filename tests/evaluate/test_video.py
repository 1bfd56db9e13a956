import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from reverie.errors import UserError
from reverie.evaluate import video

RED, BLUE = (255, 0, 0), (0, 0, 255)


def two_colours(height=20, width=30, count=6):
    frames = np.empty((count, height, width, 3), np.uint8)
    frames[: count // 2], frames[count // 2 :] = RED, BLUE
    frames[:, :2, 0] = np.arange(count)[:, None, None] * 40  # or WebP would merge equal frames
    return frames


def test_a_webp_holds_every_frame_in_order_at_its_time():
    film = Image.open(io.BytesIO(video.webp(two_colours(), fps=30.0)))
    assert (film.format, film.n_frames, film.size, film.info["loop"]) == ("WEBP", 6, (30, 20), 0)
    centres, ends = [], []
    for frame in range(6):
        film.seek(frame)
        film.load()
        centres.append(np.asarray(film.convert("RGB"))[10, 20])
        ends.append(film.info["timestamp"] + film.info["duration"])
    np.testing.assert_allclose(centres, [RED] * 3 + [BLUE] * 3, atol=12)
    assert ends == [33, 67, 100, 133, 167, 200]


def decoded(film, width, height):
    """What ffmpeg reads back from an MP4."""
    command = [video._ffmpeg(), "-loglevel", "error", "-i", "pipe:0", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]
    raw = subprocess.run(command, input=film, capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def test_an_mp4_holds_every_frame_in_order_and_odd_sides_are_padded():
    pytest.importorskip("imageio_ffmpeg")
    film = video.mp4(two_colours(height=19, width=31), fps=25.0)
    assert film[4:8] == b"ftyp"
    assert film.index(b"moov") < film.index(b"mdat")  # a browser can start before it has all
    frames = decoded(film, 32, 20)
    assert len(frames) == 6
    np.testing.assert_allclose(frames[:, 10, 20], [RED] * 3 + [BLUE] * 3, atol=12)
    np.testing.assert_allclose(frames[0, 19, 31], RED, atol=30)


def test_without_the_extra_the_message_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setattr(video.importlib.util, "find_spec", lambda name: None)
    assert not video.has_mp4()
    with pytest.raises(UserError, match=r'pip install "\.\[video\]"') as caught:
        video.mp4(two_colours(), fps=10.0)
    assert caught.value.code == 78


def test_an_encoder_that_fails_says_why(monkeypatch):
    pytest.importorskip("imageio_ffmpeg")
    with pytest.raises(UserError, match="ffmpeg could not encode 6 frames of 30x20") as caught:
        video.mp4(two_colours(), fps=10.0, quality=-1000)
    assert caught.value.code == 74


def test_thinning_keeps_the_time():
    frames = two_colours(count=10)
    thinned, fps = video.thin(frames, 50.0, most=20.0)
    assert fps == pytest.approx(50 / 3)
    np.testing.assert_array_equal(thinned, frames[[0, 3, 6, 9]])
    assert video.thin(frames, 20.0, most=20.0)[1] == 20.0


@pytest.mark.parametrize(("shape", "fps"), [((0, 4, 4, 3), 10.0), ((2, 0, 4, 3), 10.0), ((2, 4, 4, 3), 0.0)])
def test_nothing_to_show_is_refused(shape, fps):
    with pytest.raises(ValueError, match="A film needs"):
        video.webp(np.zeros(shape, np.uint8), fps)
