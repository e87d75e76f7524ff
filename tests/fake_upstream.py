#!/usr/bin/env python3
"""An OpenAI-compatible upstream whose behaviour the test chooses, for whole-program tests. Standard library only.

What the last user message says decides what happens: "do:NAME" anywhere in it. NAMEs: tool, cut, garbage, badsse, hang,
slow, e400, e401, e429once, e500, e500once, dropfirst, nousage, huge, utf8, echo_body, silent_close, redirect, raw, half,
halfheader, stuck, inband, htmlstream, nodone, bigevent, nostream, lateweak, essay (free text, another one by each model), leak
(the letter B by strong, C by others, and a guide that carries it). Otherwise the answer is "MODEL says: TEXT", or a guide or a
judge's word where one is asked for.
GET /log gives what was received, per request: model, body, whether the caller hung up before the end.
"""
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class State:
    def __init__(self):
        self.lock = threading.Lock()
        self.log = []
        self.seen = {}

    def count(self, key):
        with self.lock:
            self.seen[key] = self.seen.get(key, 0) + 1
            return self.seen[key]


STATE = State()


# What it writes when it is asked for a guide: method, no answer.
GUIDE = ("Break the larger factor into tens and units, multiply each part on its own, and add the two products. "
         "A common mistake is to forget the carry when the products are added. Write nothing beside what was asked for.")


LEAKY_GUIDE = "Look at what each option says about colour, rule out the three that do not fit, and so the answer is (B)."
# By whether strong writes.
ESSAYS = {False: "Waves come and go along the shore. Gulls circle above, and the wind smells of salt and seaweed all day long.",
          True: "A wide blue plain reaches to the horizon, calm in the morning, and fishermen mend their nets beside the harbour."}


def text_of(message):
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(p.get("text", "") for p in content if p.get("type") == "text")
    return content or ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def error(self, status, code, message, headers=()):
        self.reply(status, {"error": {"message": message, "type": "fake_error", "param": None, "code": code}}, headers)

    def do_GET(self):
        if self.path == "/log":
            with STATE.lock:
                self.reply(200, STATE.log)
        elif self.path == "/health":
            self.reply(200, {"status": "ok"})
        else:
            self.error(404, "not_found", "no such path")

    def do_POST(self):
        raw = self.rfile.read(int(self.headers.get("content-length", "0")))
        entry = {"path": self.path, "body": raw.decode("utf-8", "replace"), "hung_up": False, "done": False,
                 "authorization": self.headers.get("authorization", "")}
        with STATE.lock:
            STATE.log.append(entry)
        request = json.loads(raw)
        entry["model"] = request.get("model", "")
        users = [m for m in request["messages"] if m.get("role") == "user"]
        text = text_of(users[-1]) if users else ""
        what = text.split("do:", 1)[1].split()[0] if "do:" in text else ""
        try:
            self.act(request, text, what, raw)
            entry["done"] = True
        except (BrokenPipeError, ConnectionResetError):
            entry["hung_up"] = True
            self.close_connection = True

    def act(self, request, text, what, raw):
        model = request["model"]
        if what == "e400":
            return self.error(400, "context_length_exceeded", "This model's maximum context length is 10 tokens.")
        if what == "e401":
            return self.error(401, "invalid_api_key", "Incorrect API key provided.")
        if what == "e500" or (what == "e500once" and STATE.count(model + text) == 1):
            return self.error(500, "server_error", "The server had an error.")
        if what == "e429once" and STATE.count(model + text) == 1:
            return self.error(429, "rate_limit_exceeded", "Slow down.", [("retry-after", "0")])
        if what == "garbage":
            return self.reply(200, b"<html>this is not JSON</html>")
        if what == "silent_close" or (what == "dropfirst" and STATE.count(model + text) == 1):
            self.close_connection = True
            return self.connection.close()
        if what == "hang" or (what == "lateweak" and model != "strong"):
            return self.wait_for_hang_up(30)
        if what == "redirect":
            return self.reply(302, {}, [("location", "http://127.0.0.1:9/")])
        if what == "raw":  # not HTTP at all
            self.close_connection = True
            self.wfile.write(b"220 mail.example ESMTP ready\r\n")
            return self.connection.close()
        if what == "halfheader":  # begins to answer, once
            self.close_connection = True
            if STATE.count(model + text) == 1:
                self.wfile.write(b'HTTP/1.1 200 OK\r\ncontent-ty')
                return self.connection.close()
        if what == "half":  # promises more than it sends
            self.close_connection = True
            self.wfile.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{"id":"x",')
            return self.connection.close()
        if what == "nostream":
            request.pop("stream", None)
        answer = f"{model} says: {text}"
        systems = [text_of(m) for m in request["messages"] if m.get("role") == "system"]
        if what == "essay":
            answer = ESSAYS["strong" in model]
        if what == "leak":
            answer = "The answer is (B)." if "strong" in model else "The answer is (C)."
        if any(system.startswith("Write a guide") for system in systems):
            answer = LEAKY_GUIDE if what == "leak" else GUIDE
        if any(system.startswith("Judge whether two answers") for system in systems):
            answer = "Each does what was asked, in other words.\n[[C]]"
        if what == "huge":
            answer = "x" * (4 << 20)
        if what == "utf8":
            answer = "naïve café 日本語 🎉"
        if what == "echo_body":
            answer = raw.decode()
        tool_calls = None
        if what == "tool" and request.get("tools"):
            name = request["tools"][0]["function"]["name"]
            tool_calls = [{"id": "call_1", "type": "function", "function": {"name": name, "arguments": "{\"city\":\"Paris\"}"}}]
        usage = {"prompt_tokens": len(raw) // 4, "completion_tokens": max(1, len(answer) // 4)}
        usage["total_tokens"] = sum(usage.values())
        base = {"id": "chatcmpl-fake", "created": 1700000000, "model": model + "-2024", "system_fingerprint": "fake"}
        if not request.get("stream"):
            message = {"role": "assistant", "content": None if tool_calls else answer}
            if tool_calls:
                message["tool_calls"] = tool_calls
            choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if tool_calls else "stop", "logprobs": None}
            if request.get("logprobs"):
                choice["logprobs"] = {"content": [{"token": "a", "logprob": -0.1, "bytes": None, "top_logprobs": []}]}
            body = dict(base, object="chat.completion", choices=[choice], x_unknown={"kept": [1, 2.50, "é"]})
            if what != "nousage":
                body["usage"] = usage
            if what == "slow":
                self.wait_for_hang_up(1.0)
            return self.reply(200, body)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True

        def event(delta, finish=None, **more):
            chunk = dict(base, object="chat.completion.chunk", choices=[{"index": 0, "delta": delta, "finish_reason": finish}], **more)
            self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            self.wfile.flush()

        if what == "htmlstream":
            return self.wfile.write(b"<html>\n\n<p>data</p>\n\n")
        event({"role": "assistant", "content": ""})
        if tool_calls:
            call = tool_calls[0]
            event({"tool_calls": [{"index": 0, "id": call["id"], "type": "function",
                                   "function": {"name": call["function"]["name"], "arguments": ""}}]})
            for piece in ("{\"city\":", "\"Paris\"}"):
                event({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
            event({}, "tool_calls")
        else:
            pieces = [answer[i:i + 12] for i in range(0, len(answer), 12)] if len(answer) < 10000 else [answer]
            for number, piece in enumerate(pieces):
                if what == "slow":
                    self.wait_for_hang_up(0.15)
                if what == "cut" and number == 1:
                    return self.connection.close()
                if what == "stuck" and number == 1:
                    return self.wait_for_hang_up(30)
                if what == "inband" and number == 1:
                    self.wfile.write(b'data: {"error":{"message":"We are out of cards.","type":"server_error","code":"out_of_cards"}}\n\n')
                    return self.connection.close()
                if what == "bigevent" and number == 1:
                    self.wfile.write(b"data: " + b"x" * (40 << 20) + b"\n\n")
                if what == "badsse" and number == 1:
                    self.wfile.write(b"data: {not json\n\n: a comment\n\nbogus line\n\n")
                event({"content": piece})
            event({}, "stop")
        if (request.get("stream_options") or {}).get("include_usage") and what != "nousage":
            chunk = dict(base, object="chat.completion.chunk", choices=[], usage=usage)
            self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        if what != "nodone":
            self.wfile.write(b"data: [DONE]\n\n")

    def wait_for_hang_up(self, seconds):
        """Returns after `seconds`, or raises as soon as the caller has gone."""
        self.connection.settimeout(seconds)
        try:
            if self.connection.recv(1) == b"":
                raise BrokenPipeError
        except TimeoutError:
            pass
        finally:
            self.connection.settimeout(None)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        """A caller that was killed is no news; anything else is."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def start(port=0):
    server = Server(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


if __name__ == "__main__":
    fake = start(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(fake.server_address[1], flush=True)
    while True:
        time.sleep(3600)
