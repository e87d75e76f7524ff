#!/usr/bin/env python3
"""CPU per SSE event and resident memory per open stream: a gateway beside nginx (proxy_buffering off), in one run.

    bench/proxy/streams.py 'COMMAND with {url} and {port}' [--streams 2000] [--seconds 10] [--rounds 3]

The same upstream stands behind both: it answers every request with a stream and sends one event per stream and second
(--rate), spread over the second. Each round starts both proxies anew, opens the streams through each, lets them run, and
reads CPU (all threads and children, from /proc) over the events that clients really received in that time. Memory is the
growth of the resident set from idle after a first small load to all streams open. Figures are medians of the rounds.
"""
import argparse
import asyncio
import json
import os
import resource
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SLOTS = 50  # of a second; the streams of one slot get their event together


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Upstream(asyncio.Protocol):
    streams = [set() for _ in range(SLOTS)]
    count = 0
    HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    def connection_made(self, transport):
        self.transport, self.buffer, self.slot = transport, b"", None

    def data_received(self, data):
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].lower()
        at = head.find(b"content-length:")
        size = int(head[at + 15:].split(b"\r\n")[0]) if at >= 0 else 0
        if len(self.buffer) < end + 4 + size:
            return
        self.buffer = self.buffer[end + 4 + size:]
        if head.startswith(b"get"):
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            return
        Upstream.count += 1
        self.slot = Upstream.count % SLOTS
        self.transport.write(self.HEAD + event())
        Upstream.streams[self.slot].add(self.transport)

    def connection_lost(self, error):
        if self.slot is not None:
            Upstream.streams[self.slot].discard(self.transport)


def event():
    chunk = {"id": "chatcmpl-0123456789", "object": "chat.completion.chunk", "created": 1700000000, "model": "m-2024-08-06",
             "system_fingerprint": "fp_0123456789", "choices": [{"index": 0, "delta": {"content": " word"}, "finish_reason": None}]}
    data = b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


async def run_upstream(port, rate):
    loop = asyncio.get_running_loop()
    await loop.create_server(Upstream, "127.0.0.1", port, backlog=4096)
    data, step, due, slot = event(), 1 / (SLOTS * rate), loop.time(), 0
    while True:
        due += step
        await asyncio.sleep(max(0, due - loop.time()))
        for transport in list(Upstream.streams[slot]):
            transport.write(data)
        slot = (slot + 1) % SLOTS


class Client(asyncio.Protocol):
    events = opened = failed = 0
    BODY = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "Tell me more. " * 60}]}).encode()

    def __init__(self, ready):
        self.ready = ready

    def connection_made(self, transport):
        transport.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        b"Content-Length: %d\r\n\r\n%s" % (len(self.BODY), self.BODY))

    def data_received(self, data):
        got = data.count(b'"delta"')
        Client.events += got
        if not self.ready.done() and (got or not data.startswith(b"HTTP/1.1 200")):
            if not got:
                Client.failed += 1
            Client.opened += 1
            self.ready.set_result(None)

    def connection_lost(self, error):
        if not self.ready.done():
            self.ready.set_result(None)
        Client.failed += 1


async def run_client(port, count):
    """Says `open FAILED` when every stream has had an event; then answers each line with `EVENTS FAILED`."""
    loop = asyncio.get_running_loop()
    gate = asyncio.Semaphore(100)

    async def one():
        async with gate:
            ready = loop.create_future()
            await loop.create_connection(lambda: Client(ready), "127.0.0.1", port)
            await ready

    await asyncio.gather(*(one() for _ in range(count)))
    print("open", Client.failed, flush=True)
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while await lines.readline():
        print(Client.events, Client.failed, flush=True)


def family(pid):
    out = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as f:
            for child in f.read().split():
                out += family(int(child))
    return out


def cpu_ns(pid):
    total = 0
    for p in family(pid):
        for task in os.listdir(f"/proc/{p}/task"):
            with open(f"/proc/{p}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
    return total


def rss_kb(pid):
    total = 0
    for p in family(pid):
        with open(f"/proc/{p}/status") as f:
            total += next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
    return total


def wait_for(port):
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nothing listens on port {port}")


def start_client(port, count):
    client = subprocess.Popen([sys.executable, __file__, "--client", str(port), str(count)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    word = client.stdout.readline().split()
    if not word or word[0] != "open" or word[1] != "0":
        sys.exit(f"streams failed to open on port {port}: {word}")
    return client


def end_client(client):
    client.stdin.close()
    client.wait()


def ask(client):
    client.stdin.write("\n")
    client.stdin.flush()
    return [int(x) for x in client.stdout.readline().split()]


def measure(process, port, options):
    """Microseconds per event, kB per stream, events per second."""
    end_client(start_client(port, 50))
    time.sleep(1)
    before = rss_kb(process.pid)
    client = start_client(port, options.streams)
    time.sleep(2)
    memory = (rss_kb(process.pid) - before) / options.streams
    events, _ = ask(client)
    begin, cpu = time.monotonic(), cpu_ns(process.pid)
    time.sleep(options.seconds)
    cpu = cpu_ns(process.pid) - cpu
    seconds = time.monotonic() - begin
    after, failed = ask(client)
    end_client(client)
    if failed:
        sys.exit(f"{failed} streams ended early on port {port}")
    return cpu / 1000 / (after - events), memory, (after - events) / seconds


def nginx_conf(folder, port, upstream):
    path = os.path.join(folder, "nginx.conf")
    with open(path, "w") as f:
        f.write(f"""worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 16384; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream u {{ server 127.0.0.1:{upstream}; keepalive 64; }}
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
      proxy_read_timeout 300s; }} }} }}
""")
    return path


def end(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main():
    if len(sys.argv) > 2 and sys.argv[1] == "--upstream":
        return asyncio.run(run_upstream(int(sys.argv[2]), float(sys.argv[3])))
    if len(sys.argv) > 2 and sys.argv[1] == "--client":
        return asyncio.run(run_client(int(sys.argv[2]), int(sys.argv[3])))
    arguments = argparse.ArgumentParser()
    arguments.add_argument("command")
    arguments.add_argument("--streams", type=int, default=2000)
    arguments.add_argument("--seconds", type=float, default=10)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--rate", type=float, default=1, help="events per second and stream")
    options = arguments.parse_args()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(20000, files[1]) if files[1] > 0 else 20000, files[1]))
    upstream_port = free_port()
    upstream = subprocess.Popen([sys.executable, __file__, "--upstream", str(upstream_port), str(options.rate)])
    results = {"nginx": [], "ours": []}
    version = subprocess.run(["nginx", "-v"], stderr=subprocess.PIPE, text=True).stderr.strip()
    print(f"# {time.strftime('%FT%TZ', time.gmtime())} {os.cpu_count()} cores, {version}, {options.streams} streams, "
          f"{options.rate:g} event/s each, {options.seconds:g}s x {options.rounds} rounds")
    try:
        wait_for(upstream_port)
        for turn in range(options.rounds):
            for name in results:
                with tempfile.TemporaryDirectory() as folder:
                    port = free_port()
                    if name == "nginx":
                        command = ["nginx", "-p", folder, "-c", nginx_conf(folder, port, upstream_port)]
                    else:
                        text = options.command.replace("{port}", str(port)).replace("{url}", f"http://127.0.0.1:{upstream_port}")
                        command = shlex.split(text)
                    with open(os.path.join(folder, "out.log"), "w") as log:
                        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "TMPDIR": folder})
                        try:
                            wait_for(port)
                            result = measure(process, port, options)
                        finally:
                            end(process)
                    results[name].append(result)
                    print(f"round {turn + 1} {name}: {result[0]:.2f} us/event, {result[1]:.1f} kB/stream, {result[2]:.0f} events/s, "
                          f"load {os.getloadavg()[0]:.1f}", flush=True)
    finally:
        end(upstream)
    us = {name: statistics.median(r[0] for r in rounds) for name, rounds in results.items()}
    kb = {name: statistics.median(r[1] for r in rounds) for name, rounds in results.items()}
    print(f"event: nginx {us['nginx']:.2f} us, ours {us['ours']:.2f} us, ratio {us['ours'] / us['nginx']:.2f}")
    print(f"open stream: nginx {kb['nginx']:.1f} kB, ours {kb['ours']:.1f} kB, ratio {kb['ours'] / kb['nginx']:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
