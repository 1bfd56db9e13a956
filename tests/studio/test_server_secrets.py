"""What nobody should read, planted in the process: neither an answer nor a line in the terminal has it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed

from reverie.run.runs import find
from reverie.studio.shelf import id_of

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "canary-of-the-cloud",
    "WANDB_API_KEY": "canary-of-the-logs",
    "HF_TOKEN": "canary-of-the-hub",
    "PASSWORD": "canary-of-the-door",
}
BROKEN = {"damaged": '{"steps": ', "another": '{"format": 99}', "strange": '{"format": 1, "_target_": "os.system"}'}


def test_what_is_planted_is_never_said(served_from: Any, tmp_path: Path, shelf_folder: Path) -> None:
    home, runs = tmp_path / "canary-of-the-home", tmp_path / "canary-of-the-home" / "canary-of-the-runs"
    runs.mkdir(parents=True)
    shutil.copytree(shelf_folder / "cartpole", runs / "cartpole")
    shutil.rmtree(runs / "cartpole" / "checkpoints")
    shutil.copytree(find("weights/doom"), runs / "doom")
    for name, text in BROKEN.items():
        (runs / name).mkdir()
        (runs / name / "manifest.json").write_text(text)
    planted = SECRETS | {"HOME": str(home), "USER": "canary-user"}
    fresh = served_from(runs, "--viewers", "1", home=home / ".cache", environment=planted, where=home)
    said = [fresh.enter()]  # the cookie goes to whom it belongs; what follows is what everybody sees
    viewer = fresh.enter(fresh.viewers(1)[0])
    heard: list[bytes] = []
    ids = [id_of(runs / name) for name in ("cartpole", "doom", *BROKEN)] + ["0" * 16]
    paths = ["/", "/nowhere", "/healthz", "/api/runs", "/open?token=wrong", "/static/wire.js", "/static/nothing"]
    for run in ids:
        paths += [f"/api/runs/{run}/{what}" for what in ("config", "metrics", "media", "media/9", "episodes")]
        paths += [f"/api/runs/{run}/episodes/{what}" for what in ("0", "99999999", "0/rows/0", "0/rows/99999")]
    for cookie in (fresh.cookie, viewer, "", "reverie=wrong"):
        for path in paths:
            for method in ("GET", "HEAD", "POST"):
                ours = {"Origin": fresh.origin, "X-Reverie": "1"}
                _, headers, body = fresh.ask(method, path, headers=ours, cookie=cookie)
                heard += [json.dumps(headers).encode(), body]
    for run in ids:
        heard += conversation(fresh, run)
    fresh.stop()
    assert fresh.process.returncode is not None
    secrets = [*SECRETS.values(), "canary-of-the-home", "canary-user", str(Path(__file__).parents[2])]
    secrets += [fresh.token, said[0].partition("=")[2], viewer.partition("=")[2]]
    secrets += [(home / ".cache" / "reverie" / "studio" / "key").read_bytes().hex()]
    assert len(heard) > 500
    assert any(b"welcome" in it for it in heard)
    assert any(b"played-doom-1" in it for it in heard)
    assert [secret for secret in secrets for it in heard if secret.encode() in it] == []
    assert [secret for secret in secrets if re.search(re.escape(secret), fresh.rest)] == []


def conversation(studio: Any, run: str) -> list[bytes]:
    """All that is said about a run that is played, or cannot be, and all that is kept of it."""
    heard: list[bytes] = []
    with studio.talk(run) as there:
        try:
            while len(heard) < 30:
                message = there.recv(120)
                heard.append(message.encode() if isinstance(message, str) else message)
                if isinstance(message, bytes):
                    there.send(json.dumps({"type": "ack", "frame": int.from_bytes(message[8:12], "little")}))
                elif (words := json.loads(message))["type"] == "welcome":
                    for kind in ('{"type":"view","what":"both"}', '{"type":"tree"}', '{"type":"seek","moment":99999}'):
                        there.send(kind)
                    for what, body in (("log", b""), ("share", b""), ("experience", b""), ("follow", b"{}")):
                        ours = {"Origin": studio.origin, "X-Reverie": "1"}
                        found = studio.ask("POST", f"/api/plays/{words['play']}/{what}", headers=ours, body=body)
                        heard.append(found[2])
        except ConnectionClosed as closed:
            heard.append(str(closed).encode())
    return heard
