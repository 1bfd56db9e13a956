"""Frames to bytes: animated WebP with Pillow alone, MP4 where the extra `video` is installed.

Frames are uint8 of shape (time, height, width, 3). Nothing here names a file of the user's: the bytes are returned, and
`data.durable` writes them. An encoder that needs a file (an MP4 begins with an index known only at its end) gets a
temporary one.

Elsewhere: what is drawn on the frames (`film`).
"""

import importlib.util
import io
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from reverie.errors import UserError

Frames = UInt8[np.ndarray, "_time _height _width 3"]


def webp(frames: Frames, fps: float, *, quality: int = 85) -> bytes:
    """An animated WebP that loops for ever."""
    _check(frames, fps)
    images = [Image.fromarray(frame) for frame in frames]
    # Each frame ends at a whole millisecond; rounding the end instead of the length keeps the film from drifting.
    ends = np.rint(np.arange(1, len(images) + 1) * 1000 / fps).astype(int)
    lengths = np.diff(ends, prepend=0).tolist()
    buffer = io.BytesIO()
    images[0].save(
        buffer, "WEBP", save_all=True, append_images=images[1:], duration=lengths, loop=0, quality=quality, method=3
    )
    return buffer.getvalue()


def mp4(frames: Frames, fps: float, *, quality: int = 20) -> bytes:
    """An H.264 film that every browser plays; `quality` is the encoder's constant rate factor, smaller is better."""
    _check(frames, fps)
    frames = _even(frames)
    _, height, width, _ = frames.shape
    with tempfile.TemporaryDirectory(prefix="reverie-") as folder:
        target = Path(folder) / "film.mp4"
        source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "-"]
        codec = ["-c:v", "libx264", "-crf", str(quality), "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
        command = [_ffmpeg(), "-loglevel", "error", "-nostdin", "-y", *source, *codec, "-threads", "2", str(target)]
        done = subprocess.run(command, input=frames.tobytes(), capture_output=True, check=False)
        if done.returncode != 0:
            raise UserError(
                f"ffmpeg could not encode {len(frames)} frames of {width}x{height}: "
                f"{done.stderr.decode(errors='replace').strip()}. Write an animated WebP instead (no ffmpeg needed).",
                code=74,
            )
        return target.read_bytes()


def has_mp4() -> bool:
    """Whether the extra `video` is installed."""
    return importlib.util.find_spec("imageio_ffmpeg") is not None


def thin(frames: Frames, fps: float, most: float = 30.0) -> tuple[Frames, float]:
    """Every k-th frame, with the smallest k that shows at most `most` frames a second; time runs as before."""
    every = max(1, int(np.ceil(fps / most)))
    return frames[::every], fps / every


def _ffmpeg() -> str:
    if not has_mp4():
        raise UserError('MP4 needs ffmpeg: pip install ".[video]" (animated WebP works without).', code=78)
    import imageio_ffmpeg

    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise UserError(
            f"MP4 needs an ffmpeg program, and none came with imageio-ffmpeg for this system ({error}). "
            "Install ffmpeg, or use animated WebP, which works without.",
            code=78,
        ) from error


def _even(frames: Frames) -> Frames:
    """Repeats the last row or column where a side is odd: the codec halves the colours' resolution."""
    _, height, width, _ = frames.shape
    return np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _check(frames: Frames, fps: float) -> None:
    if len(frames) == 0 or 0 in frames.shape:
        raise ValueError(f"A film needs at least one frame with at least one pixel, got frames of shape {frames.shape}")
    if not fps > 0:
        raise ValueError(f"A film needs fps > 0, got {fps}")
