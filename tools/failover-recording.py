#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A recorded failover as pictures: three hosts of the lab, a client that asks every 5 ms, host 2 loses power.

Writes docs/images/failover.svg, which plays in the recording's own time, and docs/images/failover-plot.svg,
the same recording as one plot. What they show is what was measured. Usage: failover-recording.py [NLB]
"""
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs/images"
BEFORE_S, AFTER_S = 1, 3
COLUMN_S = 0.05
WIDTH, HEIGHT, LEFT, TOP = 860, 300, 110, 56
SPAN = WIDTH - LEFT - 20
COLOURS = {1: "#3b82f6", 2: "#f59e0b", 3: "#10b981", 0: "#dc2626"}
STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #1f2937 }
.title { font-size: 16px; font-weight: 600 } .small { font-size: 11px; fill: #6b7280 }
.line { stroke: #9ca3af; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
  text { fill: #e5e7eb } .small { fill: #9ca3af } .paper { fill: #0d1117 } }
.paper { fill: #ffffff }
</style>"""


def record(nlb):
    """[(seconds after the fault, host, or 0 for an attempt that failed)], by the lab's measuring client."""
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "log"
        subprocess.run([nlb, "lab", "down"], check=True)
        subprocess.run([nlb, "lab", "up", "--hosts", "3"], check=True, stdout=subprocess.DEVNULL)
        try:
            subprocess.run([nlb, "lab", "exec", "client1", "--", nlb, "lab", "gap", "--to",
                            "10.77.0.100:80",
                            "--source", "all", "--seconds", str(BEFORE_S + AFTER_S),
                            "--patient-every-ms", "0", "--fault-at-ms", str(int(1000 * BEFORE_S)),
                            "--log", str(log), "--fault-cmd", f"{nlb} lab fault kill host2 host"],
                           check=True, stdout=subprocess.DEVNULL)
        finally:
            subprocess.run([nlb, "lab", "down"], check=True)
        attempts = []
        for line in log.read_text().splitlines()[1:]:
            _, start, _, outcome, host = line.split()
            attempts.append((float(start) / 1000, int(host) if outcome == "ok" else 0))
        return sorted(attempts)


def columns(attempts):
    """{column: {host: answers}}"""
    found = {}
    for at, host in attempts:
        if at < -BEFORE_S:
            continue
        column = found.setdefault(int((at + BEFORE_S) // COLUMN_S), {})
        column[host] = column.get(host, 0) + 1
    return found


def x_of(seconds):
    return LEFT + SPAN * (seconds + BEFORE_S) / (BEFORE_S + AFTER_S)


def frame(title, note, body):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{title}">{STYLE}<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>'
            f'<text class="title" x="20" y="26">{title}</text>{body}'
            f'<text class="small" x="20" y="{HEIGHT - 8}">{note}</text></svg>\n')


def axis():
    body = ""
    for half in range(int(-2 * BEFORE_S), int(2 * AFTER_S) + 1):
        at = half / 2
        body += (f'<line class="line" x1="{x_of(at):.1f}" x2="{x_of(at):.1f}" y1="{HEIGHT - 46}" '
                 f'y2="{HEIGHT - 41}"/><text class="small" x="{x_of(at):.1f}" y="{HEIGHT - 28}" '
                 f'text-anchor="middle">{f"{at:+g}" if at else 0} s</text>')
    return body


def fault_mark():
    return (f'<line x1="{x_of(0):.1f}" x2="{x_of(0):.1f}" y1="{TOP - 10}" y2="{HEIGHT - 46}" '
            f'stroke="{COLOURS[0]}" stroke-dasharray="4 3"/>'
            f'<text class="small" x="{x_of(0) + 5:.1f}" y="{TOP - 2}">host 2 loses its power</text>')


def animated(attempts):
    """One row a host; each answer is a dot that appears when it came."""
    rows = {1: TOP + 30, 2: TOP + 75, 3: TOP + 120, 0: TOP + 165}
    total = BEFORE_S + AFTER_S + 2  # and a rest, in which the whole is looked at
    names = {1: "host 1", 2: "host 2", 3: "host 3", 0: "no answer"}
    body = axis()
    for host, y in rows.items():
        body += (f'<text x="20" y="{y + 5}">{names[host]}</text>'
                 f'<line class="line" x1="{LEFT}" x2="{WIDTH - 20}" y1="{y}" y2="{y}" opacity=".35"/>')
    for column, counts in sorted(columns(attempts).items()):
        shown = (column + 1) * COLUMN_S / total
        for host, count in counts.items():
            radius = 1.5 + 1.1 * count ** 0.5 if count else 0
            x = LEFT + SPAN * (column + 0.5) * COLUMN_S / (BEFORE_S + AFTER_S)
            body += (f'<circle cx="{x:.1f}" cy="{rows[host]}" r="{radius:.1f}" fill="{COLOURS[host]}">'
                     f'<animate attributeName="opacity" dur="{total}s" repeatCount="indefinite" '
                     f'calcMode="discrete" keyTimes="0;{shown:.4f};1" values="0;1;1"/></circle>')
    end = (BEFORE_S + AFTER_S) / total
    body += (f'<line y1="{TOP}" y2="{HEIGHT - 46}" x1="{LEFT}" x2="{LEFT}" class="line">'
             f'<animateTransform attributeName="transform" type="translate" dur="{total}s" '
             f'repeatCount="indefinite" keyTimes="0;{end:.4f};1" values="0;{SPAN};{SPAN}"/></line>')
    return body + fault_mark()


def plotted(attempts):
    """Answers in each 50 ms, by host, on top of one another."""
    found = columns(attempts)
    most = max(sum(counts.values()) for counts in found.values())
    floor, height = HEIGHT - 46, HEIGHT - 46 - TOP - 12
    body, wide = axis(), SPAN * COLUMN_S / (BEFORE_S + AFTER_S)
    for column, counts in sorted(found.items()):
        y = floor
        for host in (1, 3, 2, 0):
            tall = height * counts.get(host, 0) / most
            y -= tall
            body += (f'<rect x="{LEFT + column * wide:.1f}" y="{y:.1f}" width="{wide - 1:.1f}" '
                     f'height="{tall:.1f}" fill="{COLOURS[host]}"/>') if tall else ""
    for place, (host, name) in enumerate(((1, "host 1"), (3, "host 3"), (2, "host 2"), (0, "no answer"))):
        y = floor - 6 - 18 * place
        body += (f'<rect x="20" y="{y - 9}" width="10" height="10" fill="{COLOURS[host]}"/>'
                 f'<text x="36" y="{y}">{name}</text>')
    return body + fault_mark()


def outage_ms(attempts):
    failed = [at for at, host in attempts if host == 0 and at >= 0]
    return 1000 * (max(failed) + 0.005) if failed else 0


def main():
    nlb = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/bin/nlb")
    attempts = record(nlb)
    failed = sum(1 for _, host in attempts if host == 0)
    note = (f"{len(attempts)} connections in {BEFORE_S + AFTER_S} s, each given 100 ms; "
            f"{failed} without answer, the last {outage_ms(attempts):.0f} ms after the fault. "
            f"Linux {platform.release().split('-')[0]}, "
            f"{os.cpu_count()} CPUs, network namespaces.")
    IMAGES.mkdir(exist_ok=True)
    title = "Three hosts, one address: one dies, the others take its share"
    (IMAGES / "failover.svg").write_text(frame(title, note, animated(attempts)), encoding="utf-8")
    (IMAGES / "failover-plot.svg").write_text(
        frame("Connections answered in each 50 ms, by host", note, plotted(attempts)), encoding="utf-8")
    print(note)


if __name__ == "__main__":
    main()
