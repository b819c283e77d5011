#!/bin/sh
# Build and try what the container holds, without a container engine: try.sh [FOLDER]
# An empty environment is made, the server is started in it with the container's command, asked
# for its health and for one prediction, and stopped. It ends with the size that was installed.
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$(mktemp -d)}
server=
finish() {
    [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; } || true
    [ -n "$1" ] || rm -rf "$folder"
}
trap 'finish "${1:-}"' EXIT
"$source/container/install.sh" "$source" "$folder/moodal" serve
mkdir -p "$folder/data" "$folder/home"
cd "$folder"
env -i PATH="$folder/moodal/bin:/usr/bin:/bin" HOME="$folder/home" OMP_NUM_THREADS=1 \
    MPLCONFIGDIR="$folder/home/matplotlib" \
    moodal serve --no-browser --data "$folder/data" --port 0 --host 0.0.0.0 \
    --behind-proxy localhost > "$folder/log" 2>&1 &
server=$!
for _ in $(seq 120); do
    grep -q "Stop with" "$folder/log" && break
    kill -0 $server || { cat "$folder/log"; exit 1; }
    sleep 1
done
"$folder/moodal/bin/python" - "$folder" "$source/examples/clip.mp4" "$server" <<'PYTHON'
"""Ask the server as the health check and a program do."""
import json, pathlib, sys, urllib.request

folder, film, server = sys.argv[1:]
ports = set()
for row in pathlib.Path(f"/proc/{server}/net/tcp").read_text().splitlines()[1:]:
    address, state = row.split()[1], row.split()[3]
    if state == "0A" and address.startswith("00000000:"):
        ports.add(int(address[9:], 16))
token = pathlib.Path(folder, "data", "token").read_text().strip()
body = b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"clip.mp4\"\r\n\r\n"
body += pathlib.Path(film).read_bytes() + b"\r\n--x--\r\n"
for port in ports:
    base = f"http://127.0.0.1:{port}"
    try:
        health = json.load(urllib.request.urlopen(f"{base}/healthz", timeout=5))
    except (OSError, ValueError):
        continue
    if health.get("status") == "ok":
        break
else:
    sys.exit("The server does not answer.")
headers = {"Authorization": f"Bearer {token}", "Content-Type": "multipart/form-data; boundary=x"}
request = urllib.request.Request(f"{base}/v1/predict", body, headers)
answer = json.load(urllib.request.urlopen(request, timeout=300))
count = len(answer["recordings"][0]["utterances"])
assert count, "no utterance was found"
print(f"healthy: {health}; {count} utterances were answered.")
PYTHON
size=$(du -sm "$folder/moodal" | cut -f1)
echo "$size MiB are installed."
# the Python image below it has about 130 MB
[ "$size" -le 730 ] || { echo "The image would have more than 900 MB." >&2; exit 1; }
