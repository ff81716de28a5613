# SPDX-License-Identifier: Apache-2.0
"""`nlb top` as a person has it: in a pseudo terminal of 80×24, made wider, with keys. What it wrote is read
back by a small terminal that knows the few sequences that it uses, and no other."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from live import Failure, need, wait_for

KNOWN = re.compile(r"\x1b\[(?:(\?1049|\?25)([hl])|(2?)J|(H)|(K)|([0-9]*)m)|(\r\n)|([^\x1b\r\n]+)|(.)", re.S)


class Screen:
    """The frame that is seen: lines, and what the terminal was told besides."""

    def __init__(self, columns, lines):
        self.columns, self.count, self.modes, self.coloured = columns, lines, {}, False
        self.lines, self.at, self.column = [""] * lines, 0, 0

    def take(self, text):
        for mode, on, clear, home, end, colour, newline, plain, other in KNOWN.findall(text):
            need(not other, f"an unknown sequence: {other!r} in {text[:200]!r}")
            if mode:
                self.modes[mode] = on == "h"
            elif home:
                self.at, self.column = 0, 0
            elif newline:
                self.at, self.column = self.at + 1, 0
                need(self.at < self.count, "it wrote below the last line: the screen rolls")
            elif plain:
                line = self.lines[self.at].ljust(self.column)
                self.lines[self.at] = line[:self.column] + plain + line[self.column + len(plain):]
                self.column += len(plain)
                need(self.column <= self.columns, f"a line is too wide: {self.lines[self.at]!r}")
            elif end:
                self.lines[self.at] = self.lines[self.at][:self.column]
            elif colour:
                self.coloured = True
            elif clear == "2":
                self.lines = [""] * self.count
            else:
                self.lines[self.at + 1:] = [""] * (self.count - self.at - 1)

    @property
    def text(self):
        return "\n".join(self.lines)


class Terminal:
    def __init__(self, words, columns=80, lines=24, **environment):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(words[0], words, {**os.environ, "TERM": "xterm", **environment})
        self.screen, self.pending = Screen(columns, lines), b""
        self.resize(columns, lines)

    def resize(self, columns, lines):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        modes = self.screen.modes
        self.screen = Screen(columns, lines)
        self.screen.modes = modes

    def press(self, keys):
        os.write(self.fd, keys.encode())

    def read(self, seconds=0.1):
        while select.select([self.fd], [], [], seconds)[0]:
            try:
                piece = os.read(self.fd, 65536)
            except OSError:  # it has ended
                return
            if not piece:
                return
            self.pending += piece
            # A frame is one write, and may still arrive in pieces.
            cut = self.pending.rfind(b"\x1b[J") + 3 if b"\x1b[J" in self.pending else len(self.pending)
            self.screen.take(self.pending[:cut].decode())
            self.pending = self.pending[cut:]

    def wait_for(self, *parts):
        def seen():
            self.read()
            return all(re.search(part, self.screen.text) for part in parts)
        try:
            return wait_for(f"{parts} on the screen", seen, 8)
        except Failure as problem:
            raise Failure(f"{problem}\n{self.screen.text}") from problem

    def end(self):
        """The exit code, within 3 s."""
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            self.read(0.02)
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise Failure("nlb top does not end")


def watch_top(run):
    lab = run.lab
    words = [lab.nlb_path, "--socket", lab.socket(1), "top", "--interval", "0.5"]
    with run.case("nlb top at 80×24: hosts, rules, rates, events; keys; a host that stops; a wider terminal"):
        top = Terminal(words)
        top.wait_for(r"asks host 1 .* 3 of 3 serve", r"1\* .*converged .*33\.3 %",
                     r"all:80 tcp .*1:33% 2:33% 3:33%", r"converged_as_default", r"q quit")
        need(top.screen.modes.get("?1049") and not top.screen.modes.get("?25", True), top.screen.modes)
        need(top.screen.coloured, "no colour at a terminal")
        load = lab.start_load(4000)
        top.wait_for(r"1\* .* %\s+\S+\s+[1-9]\S*\s+[1-9]\S*\s+-")
        need(lab.finish(load)["failed"] == 0, "connections failed")
        lab.host(3, "stop")
        top.wait_for(r"2 of 3 serve", r"  3 .*stopped .* 0\.0 %", r"peer_leaving")
        top.press("r")
        top.wait_for(r"HOST▼", r"HOST[^\n]*\n  3 ")
        top.press("h")
        top.wait_for(r"reverse the order", r"live TCP connections")
        top.press("hr")
        top.resize(140, 30)
        top.wait_for(r"HOST▲", r"HEARD *\n")
        need(max(map(len, top.screen.lines)) > 100, "a wide terminal is not used")
        lab.host(3, "start")
        top.wait_for("3 of 3 serve")
        top.press("q")
        need(top.end() == 0, "q is not a good end")
        need(top.screen.modes == {"?1049": False, "?25": True}, f"the terminal is left as {top.screen.modes}")
    with run.case("nlb top: SIGTERM gives the terminal back, NO_COLOR has none, --once needs no terminal"):
        top = Terminal(words, NO_COLOR="1")
        top.wait_for("3 of 3 serve")
        need(not top.screen.coloured, "colour in spite of NO_COLOR")
        os.kill(top.pid, signal.SIGTERM)
        need(top.end() == 0 and top.screen.modes["?1049"] is False, top.screen.modes)
        once = lab.host(1, "top", "--once", "--interval", "0.2").stdout
        need("3 of 3 serve" in once and "\x1b" not in once and "q quit" not in once, once)
        other = lab.host(2, "top", "--once", "--host", 3, "--interval", "0.2").stdout
        need("asks host 3" in other, other)
        need(lab.host(1, "top", check=False).returncode == 2, "without a terminal it must say so")
