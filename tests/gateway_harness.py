"""Starts a real gateway in front of the fake upstream for whole-program tests. Standard library only."""
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import fake_upstream

BREVET = os.environ.get("BREVET_BINARY", "build/dev/brevet")

CONFIG = """
server: {{address: 127.0.0.1, port: 0, threads: 2, data_dir: "{data}", drain_ms: 3000, log: warn}}
models:
  weak:   {{upstream: openai, base_url: "http://127.0.0.1:{port}/v1", id: weak-id, price: {{input: 0.1, output: 0.2}},
            first_token_timeout_ms: 5000, total_timeout_ms: 20000, retries: 1}}
  strong: {{upstream: openai, base_url: "http://127.0.0.1:{port}/v1", id: strong-id, price: {{input: 2, output: 8}},
            first_token_timeout_ms: 5000, total_timeout_ms: 20000, retries: 1}}
  down:   {{upstream: openai, base_url: "http://127.0.0.1:9/v1", retries: 0, connect_timeout_ms: 500}}
routes:
  auto:   {{strategy: adaptive, candidates: [weak, strong]}}
  cheap:  {{strategy: always_weak, candidates: [weak, strong]}}
  best:   {{strategy: always_strong, candidates: [weak, strong], learning: {{enabled: false}}}}
  fallback: {{strategy: always_weak, candidates: [down, strong]}}
  watch:  {{strategy: rar, candidates: [weak, strong], mode: observe}}
"""


class Gateway:
    """A gateway process; use as a context manager."""

    def __init__(self, config=CONFIG, data=None, environment=None):
        self.folder = tempfile.mkdtemp(prefix="brevet-test-")
        self.data = data or os.path.join(self.folder, "data")
        self.upstream = fake_upstream.start()
        path = pathlib.Path(self.folder, "brevet.yaml")
        path.write_text(config.format(data=self.data, port=self.upstream.server_address[1]))
        self.port_file = os.path.join(self.folder, "port")
        self.log_path = os.path.join(self.folder, "gateway.log")
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen(
                [BREVET, "serve", "--config", str(path), "--port-file", self.port_file], stdout=log, stderr=log,
                env=dict(os.environ, **(environment or {})))
        deadline = time.monotonic() + 60
        while not self.read(self.port_file).strip():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the gateway did not start:\n" + self.log())
            time.sleep(0.02)
        self.port = int(self.read(self.port_file))

    @staticmethod
    def read(path):
        try:
            return pathlib.Path(path).read_text()
        except FileNotFoundError:
            return ""

    def log(self):
        return self.read(self.log_path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self, how=signal.SIGTERM, timeout=30):
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout)
        self.upstream.shutdown()
        self.upstream.server_close()
        return self.process.returncode

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def call(self, method, path, body=None, headers=None):
        """(status, headers, body); body is parsed where it is JSON."""
        connection = self.connect()
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        connection.request(method, path, data, headers or {})
        response = connection.getresponse()
        raw = response.read()
        connection.close()
        try:
            return response.status, response.headers, json.loads(raw)
        except ValueError:
            return response.status, response.headers, raw

    def chat(self, text, model="auto", headers=None, **more):
        return self.call("POST", "/v1/chat/completions",
                         dict({"model": model, "messages": [{"role": "user", "content": text}]}, **more), headers)

    def events(self, text, model="auto", headers=None, **more):
        """(status, headers, list of data strings) of a streamed answer."""
        status, reply_headers, raw = self.chat(text, model, headers, stream=True, **more)
        if isinstance(raw, dict):
            return status, reply_headers, raw
        return status, reply_headers, [line[6:] for line in raw.decode().split("\n") if line.startswith("data: ")]

    def upstream_log(self):
        return fake_upstream.STATE.log

    def wait_until(self, what, seconds=20):
        """Polls a condition that the gateway will reach; fails the test when it does not."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = what()
            if value:
                return value
            time.sleep(0.02)
        raise AssertionError("condition not reached in time")
