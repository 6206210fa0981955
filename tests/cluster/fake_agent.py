"""An agent in Python: it speaks the framing and misbehaves on request. Run by test_connection.py as a child process.

argv: NONCE MODE. Its methods are not HBase's: `echo`, `later` (answers after the next request), `never`, `noise`,
`garbage`, `huge`, `no-result`, `error`, `die`, `hang` (reads nothing more), `trickle`.
"""

from __future__ import annotations

import json
import os
import sys
import time

NONCE, MODE = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""


def write(text: str) -> None:
    os.write(1, text.encode())


def say(message: dict[str, object], nonce: str = NONCE) -> None:
    data = f"@@{nonce} {json.dumps(message)}\n".encode()
    while data:
        data = data[os.write(1, data) :]


def hello(nonce: str = NONCE) -> None:
    versions = {"hbase_version": "2.6.1", "java_version": "17", "jruby_version": "9.3"}
    params = {"agent": "fake", "pid": os.getpid(), **versions}
    say({"jsonrpc": "2.0", "method": "hello", "params": params}, nonce)


def answer(request: dict[str, object]) -> None:
    say({"jsonrpc": "2.0", "id": request["id"], "result": request["params"]})


def main() -> None:
    if MODE == "dies":
        print("Error: Could not find or load main class org.jruby.Main", file=sys.stderr)
        sys.exit(1)
    if MODE == "silent":
        time.sleep(60)
    if MODE == "noisy-start":
        write("Welcome to edge01\n@@not-the-nonce {\"method\":\"hello\"}\n\xe9\n")
    if MODE == "wrong-nonce":
        print("a banner", flush=True)
        hello("0000000000000000")
        time.sleep(60)
    hello()
    held: dict[str, object] | None = None
    for line in sys.stdin:
        request = json.loads(line)
        method = request["method"]
        if method == "later":
            held = request
            continue
        if method == "never" or (MODE == "no-pings" and method == "ping"):
            continue
        if method == "noise":
            write("2026-01-01 WARN something\n@@ {}\n" + f"@@{NONCE}{{\"id\":{request['id']},\"result\":1}}\n")
        if method == "garbage":
            for text in ("{not json", "[1]", '{"id":"x"}', '{"id":999999,"result":1}'):
                write(f"@@{NONCE} {text}\n")
        if method == "trickle":
            data = f"@@{NONCE} {json.dumps({'id': request['id'], 'result': 'x' * 50})}\n"
            for char in data:
                write(char)
            continue
        if method == "huge":
            say({"id": request["id"], "result": "x" * int(request["params"]["bytes"])})
            continue
        if method == "error":
            data = {"class": "org.apache.hadoop.hbase.TableExistsException\x1b[2J"}
            say({"id": request["id"], "error": {"code": -32000, "message": "t1\u202e", "data": data}})
            continue
        if method == "no-result":
            say({"id": request["id"]})
            continue
        if method == "die":
            print("java.lang.OutOfMemoryError: Java heap space\x1b[31m", file=sys.stderr, flush=True)
            os._exit(3)
        if method == "hang":
            time.sleep(60)
        answer(request)
        if held is not None:
            answer(held)
            held = None


main()
