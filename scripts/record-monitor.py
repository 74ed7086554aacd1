#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands to the monitor of a QEMU: record-monitor.py SOCKET DELAY COMMAND...

`wait SECONDS` waits for the end of a migration, `cancel SECONDS` cancels it if it has not come to
its end by then. What the monitor answers is printed.
"""
import socket
import sys
import time


def connect(path):
    for _ in range(100):
        try:
            s = socket.socket(socket.AF_UNIX)
            s.connect(path)
            return s
        except OSError:
            time.sleep(0.02)
    sys.exit("record-monitor: nobody listens at " + path)


def answer(s):
    text = b""
    while not text.endswith(b"(qemu) "):
        part = s.recv(65536)
        if not part:
            break
        text += part
    return text.decode(errors="replace")


def ask(s, command):
    s.sendall(command.encode() + b"\n")
    return answer(s)


def main():
    s = connect(sys.argv[1])
    s.settimeout(60)
    answer(s)
    time.sleep(float(sys.argv[2]))
    for command in sys.argv[3:]:
        what, _, seconds = command.partition(" ")
        if what in ("wait", "cancel") and seconds:
            end = time.time() + float(seconds)
            while "completed" not in (text := ask(s, "info migrate")):
                if "failed" in text or time.time() > end and what == "wait":
                    sys.exit("record-monitor: the migration does not end:\n" + text)
                if time.time() > end:
                    print(text)
                    ask(s, "migrate_cancel")
                    break
                time.sleep(0.1)
        elif command == "quit":
            try:
                ask(s, "quit")
            except OSError:
                pass
        else:
            print(ask(s, command))


main()
