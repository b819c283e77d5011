"""Load on a server on loopback: live sessions in real time, and many uploads, some damaged.

python benchmarks/serve.py live       clients 4, 8, 16, ... until the 95th percentile exceeds 1 s
python benchmarks/serve.py uploads    1,000 uploads of which 10% are damaged

The load comes from a process of its own, whose CPU time is told apart from the server's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

ROOT = Path(__file__).parents[1]
CLIP = ROOT / "examples/clip.mp4"
BLOCK = 0.1
TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    """A server that runs: its process, address and token."""

    process: subprocess.Popen[str]
    port: int
    token: str

    def processes(self) -> list[int]:
        """Return the numbers of its processes."""
        own = self.process.pid
        children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
        return [own, *map(int, children)]

    def cpu(self) -> float:
        """Return the CPU seconds of its processes so far."""
        total = 0.0
        for number in self.processes():
            with contextlib.suppress(OSError):
                row = Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()
                total += (int(row[11]) + int(row[12])) / TICK
        return total

    def memory(self) -> dict[int, float]:
        """Return process -> MiB that lie in memory."""
        sizes = {}
        for number in self.processes():
            with contextlib.suppress(OSError):
                pages = int(Path(f"/proc/{number}/statm").read_text().split()[1])
                sizes[number] = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        return sizes


@contextlib.contextmanager
def served(*arguments: str) -> Iterator[Server]:
    """Run `moodal serve` in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["-m", "moodal", "serve", "--no-browser", "--port", "0", "--data"]
        process = subprocess.Popen(
            [sys.executable, *command, folder, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )
        assert process.stdout is not None
        try:
            port = 0
            for line in process.stdout:
                if line.startswith("moodal serves at"):
                    port = int(line.rstrip().rstrip("/").rsplit(":", 1)[1])
                if line.startswith("Stop"):
                    break
            token = (Path(folder) / "token").read_text().strip()
            yield Server(process, port, token)
        finally:
            process.terminate()
            process.wait(30)


def speech() -> np.ndarray:
    """Return the sound of the example film at 16 kHz: [n] int16."""
    from moodal.media.audio import read_audio

    return (read_audio(CLIP, rate=16000) * 32767).astype("<i2")


# live sessions


async def _client(port: int, token: str, seconds: float, number: int) -> list[float]:
    """Send speech in real time; return the latency of each final answer."""
    from websockets.asyncio.client import connect

    sound, size = speech(), round(BLOCK * 16000)
    sound = np.roll(sound, -number * 3571)
    headers = {"Authorization": f"Bearer {token}"}
    sent: list[float] = []
    latencies: list[float] = []
    address = f"ws://127.0.0.1:{port}/v1/stream"
    async with connect(address, additional_headers=headers, max_size=None) as live:
        first = {"sound": "pcm16", "rate": 16000, "options": {"asr": False}}
        await live.send(json.dumps(first))

        async def listen() -> None:
            async for text in live:
                now, told = time.monotonic(), json.loads(text)
                # what the end itself completes has no sample whose arrival could be measured
                if told["type"] == "final" and told["at"] < len(sent) * BLOCK - 1e-6:
                    block = min(len(sent) - 1, max(0, int(np.ceil(told["at"] / BLOCK - 1e-6)) - 1))
                    latencies.append(now - sent[block])

        listening = asyncio.create_task(listen())
        begun = time.monotonic() + 0.1 * (number % 10)
        for index in range(round(seconds / BLOCK)):
            await asyncio.sleep(max(0.0, begun + index * BLOCK - time.monotonic()))
            places = np.arange(index * size, (index + 1) * size) % len(sound)
            sent.append(time.monotonic())
            await live.send(b"\x01" + sound[places].tobytes())
        await live.send('{"end": true}')
        await asyncio.wait_for(listening, 120)
    return latencies


def _load(port: int, token: str, clients: int, seconds: float, out: Any) -> None:
    async def run() -> list[list[float]]:
        many = (_client(port, token, seconds, n) for n in range(clients))
        return await asyncio.gather(*many)

    latencies = [x for own in asyncio.run(run()) for x in own]
    usage = resource.getrusage(resource.RUSAGE_SELF)
    out.send((latencies, usage.ru_utime + usage.ru_stime))


def live(args: argparse.Namespace) -> None:
    """Double the clients until the 95th percentile of latency exceeds 1 s."""
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    print("clients  finals  median s   95% s  server CPU  generator CPU")
    with served("--live-workers", str(args.live_workers)) as server:
        clients = 4
        while clients <= args.most:
            own, other = multiprocessing.Pipe()
            before, begun = server.cpu(), time.monotonic()
            process = multiprocessing.get_context("spawn").Process(
                target=_load, args=(server.port, server.token, clients, args.seconds, other)
            )
            process.start()
            latencies, generator = own.recv()
            process.join()
            wall = time.monotonic() - begun
            median, high = np.percentile(latencies, [50, 95])
            used = (server.cpu() - before) / wall
            print(
                f"{clients:7} {len(latencies):7} {median:9.3f} {high:7.3f} {used:11.2f} "
                f"{generator / wall:14.2f}",
                flush=True,
            )
            if high > 1:
                break
            clients *= 2


# uploads


def recordings(count: int = 12) -> list[bytes]:
    """Return different WAV files of 2 s, cut out of the example film's sound."""
    sound = speech()
    files = []
    for number in range(count):
        start = number * (len(sound) - 32000) // count
        file = io.BytesIO()
        soundfile.write(file, sound[start : start + 32000], 16000, format="WAV")
        files.append(file.getvalue())
    return files


def damaged(content: bytes, number: int) -> bytes:
    """Damage a file so that nothing can be read of it."""
    rng = np.random.default_rng(number)
    noise = rng.integers(0, 256, 5000, np.uint8).tobytes()
    return [content[:20], b"RIFF" + noise, noise, b"\0" * 4000][number % 4]


def _post(server: Server, name: str, content: bytes) -> str:
    """Send a job, as often as it takes while the queue is full; return its id."""
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    asr = b'\r\n--x\r\nContent-Disposition: form-data; name="asr"\r\n\r\nfalse\r\n--x--\r\n'
    body = head.encode() + content + asr
    while True:
        try:
            return str(_ask(server, "/v1/jobs", body)["id"])
        except urllib.error.HTTPError as error:
            if error.code != 429:
                raise
            time.sleep(0.5)


def _ask(server: Server, path: str, body: bytes | None = None) -> Any:
    kind = {"Content-Type": "multipart/form-data; boundary=x"} if body else {}
    headers = {"Authorization": f"Bearer {server.token}", **kind}
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", body, headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def _outcome(server: Server, id: str) -> Any:
    """Wait for a job; return its answers, or None if it failed."""
    while True:
        status = _ask(server, f"/v1/jobs/{id}")["status"]
        if status == "failed":
            return None
        if status == "done":
            return _ask(server, f"/v1/jobs/{id}/result")["recordings"][0]["utterances"]
        time.sleep(0.3)


def uploads(args: argparse.Namespace) -> None:
    """Send many uploads, of which each tenth is damaged, and check every answer."""
    import moodal
    from moodal.output.formats import render

    files, model = recordings(), moodal.load(threads=1)
    expected = []
    for content in files:
        timeline = model.predict(content, name="a.wav", asr=False)
        expected.append(json.loads(render([timeline], "json"))["recordings"][0]["utterances"])
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    wrong, ids, sizes = [], set(), []
    with served("--workers", str(args.workers)) as server:

        def one(number: int) -> None:
            bad = number % 10 == 9
            content = files[number % len(files)]
            id = _post(server, "a.wav", damaged(content, number) if bad else content)
            ids.add(id)
            outcome = _outcome(server, id)
            if outcome != (None if bad else expected[number % len(files)]):
                wrong.append(number)
            if number % max(1, args.count // 20) == 0:
                sizes.append((number, server.memory()))

        begun = time.monotonic()
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(one, range(args.count)))
        wall = time.monotonic() - begun
        listed = {job["id"]: job["status"] for job in _ask(server, "/v1/jobs")["jobs"]}
        figures = {status: list(listed.values()).count(status) for status in set(listed.values())}
        print(f"{args.count} uploads in {wall:.0f} s: {figures}")
        lost = args.count - len(ids & set(listed))
        print(f"wrong answers: {len(wrong)}; lost jobs: {lost}")
        for number in (server.process.pid, *sorted(set(sizes[0][1]) - {server.process.pid})):
            row = [f"{own[number]:.0f}" for _, own in sorted(sizes) if number in own]
            print(f"process {number}, MiB over time: {' '.join(row)}")


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)
    sub = commands.add_parser("live")
    sub.add_argument("--seconds", type=float, default=30)
    sub.add_argument("--live-workers", type=int, default=1)
    sub.add_argument("--most", type=int, default=32)
    sub.set_defaults(run=live)
    sub = commands.add_parser("uploads")
    sub.add_argument("--count", type=int, default=1000)
    sub.add_argument("--workers", type=int, default=1)
    sub.set_defaults(run=uploads)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
