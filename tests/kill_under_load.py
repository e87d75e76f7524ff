#!/usr/bin/env python3
"""Goal: kill -9 loses nothing acknowledged and never corrupts. Method: 64 clients ask and give feedback without a pause; the
gateway is killed at seeded random moments, started again on the same data, and every id whose feedback was acknowledged must
be there with that feedback; at the end SQLite checks its file. Usage: kill_under_load.py [ROUNDS] (default 12)."""
import http.client
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time

from gateway_harness import Gateway

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 12
CLIENTS = 64
random.seed(7)
acknowledged = {}
lock = threading.Lock()
data = tempfile.mkdtemp(prefix="brevet-kill-")


def client(gateway, number, stop):
    """Asks and acknowledges until the gateway dies."""
    turn = 0
    try:
        connection = gateway.connect()
        while not stop.is_set():
            turn += 1
            body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": f"Client {number} asks {turn}. The answer is ({'ABCD'[turn % 4]})."}]})
            connection.request("POST", "/v1/chat/completions", body)
            response = connection.getresponse()
            response.read()
            decision = response.headers["x-brevet-decision"]
            score = round(random.random(), 3)
            connection.request("POST", "/v1/feedback", json.dumps({"decision_id": decision, "score": score}))
            response = connection.getresponse()
            response.read()
            if response.status == 200:
                with lock:
                    acknowledged[decision] = score
    except (OSError, http.client.HTTPException, TypeError):
        pass  # the kill


def feedback_of(gateway, decision):
    status, _, body = gateway.call("GET", f"/v1/decisions/{decision}")
    return [f["score"] for f in body.get("feedback", [])] if status == 200 else None


try:
    for round_number in range(ROUNDS + 1):
        with Gateway(data=data) as gateway:
            with lock:
                known = dict(acknowledged)
            # All of the last rounds would be slow over HTTP: the file itself is read for those below.
            for decision in random.sample(sorted(known), min(50, len(known))):
                got = feedback_of(gateway, decision)
                if got is None or known[decision] not in got:
                    raise SystemExit(f"FAILED: round {round_number}: acknowledged {decision} has feedback {got}")
            if round_number == ROUNDS:
                break
            stop = threading.Event()
            threads = [threading.Thread(target=client, args=(gateway, n, stop), daemon=True) for n in range(CLIENTS)]
            for thread in threads:
                thread.start()
            time.sleep(random.uniform(0.3, 1.5))
            gateway.stop(signal.SIGKILL)
            stop.set()
            for thread in threads:
                thread.join(30)
    with sqlite3.connect(os.path.join(data, "brevet.db")) as database:
        verdict = database.execute("PRAGMA integrity_check").fetchone()[0]
        stored = set(row[0] for row in database.execute("SELECT decision_id FROM feedback"))
    missing = set(acknowledged) - stored
    if verdict != "ok" or missing:
        raise SystemExit(f"FAILED: integrity {verdict}, {len(missing)} acknowledged ids missing, such as {sorted(missing)[:3]}")
    if len(acknowledged) < ROUNDS * 20:
        raise SystemExit(f"FAILED: only {len(acknowledged)} acknowledgements; the load was no load")
    print(f"{len(acknowledged)} acknowledged ids over {ROUNDS} kills with {CLIENTS} clients: none lost, integrity ok")
finally:
    shutil.rmtree(data, ignore_errors=True)
