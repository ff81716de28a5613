#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes docs/results/performance.md and its plots (SVG, light and dark) from build/bench/*.json, as `make
bench` leaves them. A file that is not there is said to be missing; nothing is carried over from an
earlier run."""
import argparse
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs/results"
STYLE = """<style>text{font:12px sans-serif;fill:#222}.axis{stroke:#999;stroke-width:1}.dim{fill:#777}
.a{fill:#2b6cb0}.b{fill:#9aa5b1}.c{stroke-width:2;fill:none}
@media(prefers-color-scheme:dark){text{fill:#ddd}.dim{fill:#999}.a{fill:#63a4e8}.b{fill:#6b7785}}</style>"""
COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#805ad5", "#b7791f")


def load(directory, name):
    path = directory / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def escaped(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def svg(width, height, parts):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">'
    return "\n".join([head, STYLE, *parts, "</svg>", ""])


def bars(title, rows, unit, mark=None):
    """rows: (label, value, class, text); mark: (value, text) of a line across."""
    left, line = 400, 20
    most = max([value for _, value, _, _ in rows] + ([mark[0]] if mark else []))
    scale = 270 / most
    parts = [f'<text x="0" y="14" font-weight="bold">{escaped(title)}</text>']
    for i, (label, value, kind, text) in enumerate(rows):
        y = 26 + i * line
        parts += [f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{escaped(label)}</text>',
                  f'<rect class="{kind}" x="{left}" y="{y}" width="{value * scale:.1f}" '
                  f'height="{line - 5}"/>',
                  f'<text class="dim" x="{left + value * scale + 6:.1f}" y="{y + 12}">{escaped(text)}</text>']
    bottom = 26 + len(rows) * line
    if mark:
        x = left + mark[0] * scale
        parts += [f'<line class="axis" x1="{x:.1f}" y1="20" x2="{x:.1f}" y2="{bottom}"/>',
                  f'<text class="dim" x="{x + 3:.1f}" y="{bottom + 12}">{escaped(mark[1])}</text>']
    parts.append(f'<text class="dim" x="{left}" y="{bottom + 28}">{escaped(unit)}</text>')
    return svg(800, bottom + 36, parts)


def curves(title, series, unit):
    """series: {name: [(x, y)]}; x in powers of two."""
    left, top, width, height = 60, 30, 480, 220
    xs = sorted({x for points in series.values() for x, _ in points})
    most = max(y for points in series.values() for _, y in points) or 1
    at_x = {x: left + width * i / (len(xs) - 1) for i, x in enumerate(xs)}
    parts = [f'<text x="0" y="14" font-weight="bold">{escaped(title)}</text>']
    for part in range(5):
        y = top + height * (1 - part / 4)
        label = f"{most * part / 4:.2g}"
        parts += [f'<line class="axis" x1="{left}" y1="{y:.0f}" x2="{left + width}" y2="{y:.0f}" '
                  'opacity=".3"/>',
                  f'<text class="dim" x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{label}</text>']
    parts += [f'<text class="dim" x="{at_x[x]:.0f}" y="{top + height + 16}" text-anchor="middle">{x}</text>'
              for x in xs]
    for i, (name, points) in enumerate(series.items()):
        path = " ".join(f"{at_x[x]:.1f},{top + height * (1 - y / most):.1f}" for x, y in points)
        colour = COLOURS[i % len(COLOURS)]
        parts += [f'<polyline class="c" stroke="{colour}" points="{path}"/>',
                  f'<rect x="{left + width + 16}" y="{top + 20 * i}" width="14" height="4" fill="{colour}"/>',
                  f'<text x="{left + width + 36}" y="{top + 6 + 20 * i}">{escaped(name)}</text>']
    parts.append(f'<text class="dim" x="{left}" y="{top + height + 34}">{escaped(unit)}</text>')
    return svg(800, top + height + 42, parts)


def table(heading, rows):
    lines = ["| " + " | ".join(heading) + " |", "|" + "|".join("---" if i == 0 else "---:" for i in
                                                               range(len(heading))) + "|"]
    return lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]


def decision(filter_figures):
    rows = filter_figures["rows"]
    (OUT / "decision-cost.svg").write_text(bars(
        "One decision in XDP, as a ratio to an empty XDP program",
        [(row["name"], row["ratio"], "a", f"{row['ratio']:.2f} ({row['ns']} ns)") for row in rows
         if row["hook"] == "XDP"], "BPF_PROG_TEST_RUN, gross",
        (1, "empty program")))
    lines = ["## One decision", "", "![one decision](decision-cost.svg)", "",
             f"`build/bench/filter_bench`: BPF_PROG_TEST_RUN, {filter_figures['repeat']:,} times a round, "
             f"{filter_figures['rounds']} rounds; in each round every row right after the empty program of "
             "its hook. One flow, warm cache. Median; ratio: median, least and most of the rounds' ratios.",
             ""]
    lines += table(["packet", "hook", "ns", "empty", "ratio", "least–most"],
                   [(row["name"], row["hook"], row["ns"], row["empty_ns"], f"{row['ratio']:.2f}",
                     f"{row['least']:.2f}–{row['most']:.2f}") for row in rows])
    lines += ["", "Programs as the kernel has them:", ""]
    lines += table(["program", "instructions", "bytes of machine code"],
                   [(one["program"], one["instructions"], one["machine_code_bytes"])
                    for one in filter_figures["programs"]])
    return lines + [""]


def rates(figures):
    rows = figures["rows"]
    lines = ["## Frames a second on veth", "", "![frames a second](rates.svg)", "", figures["how"], ""]
    (OUT / "rates.svg").write_text(bars(
        "Frames a second, as a ratio to an empty XDP drop in the same rounds",
        [(row["name"], row["ratio"], "a" if row["name"].startswith("OpenNLB") else "b",
          f"{row['ratio']:.2f} ({row['mpps']:.2f} Mpps)") for row in rows],
        "live frames of one flow, one receiver"))
    lines += table(["receiver", "Mpps", "of an empty drop", "least–most"],
                   [(row["name"], f"{row['mpps']:.2f}", f"{row['ratio']:.2f}",
                     f"{row['least']:.2f}–{row['most']:.2f}") for row in rows])
    return lines + [""]


def balance(figures):
    series = {}
    for row in figures["rows"]:
        if row["method"] != "modulo N":  # it would press all others to the ground
            series.setdefault(row["method"], []).append((row["hosts"], 100 * row["excess_on_leave"]))
    (OUT / "moved.svg").write_text(curves("Keys that move without need when a host leaves", series,
                                          "percent of all keys, by hosts before; modulo N: 0 to 97"))
    lines = ["## Balance, and what moves", "", "![moved without need](moved.svg)", "",
             "`build/bench/balance_bench`: whole tables are counted, nothing is sampled. One host in the "
             "middle leaves and comes back. *Excess* is what moves beyond its share, in parts of all keys. "
             "The 60 buckets are given the best that a table which remembers can do; ours, HRW and Maglev "
             "are functions of the members alone.", ""]
    lines += table(["method", "hosts", "max/mean", "moved on leave", "excess on leave", "excess on join"],
                   [(row["method"], row["hosts"], f"{row['max_over_mean']:.3f}",
                     *(f"{row[key]:.2%}" for key in ("moved_on_leave", "excess_on_leave", "excess_on_join")))
                    for row in figures["rows"]])
    return lines + [""]


def guard(figures):
    lines = ["## One frame at a guarded port", "",
             "`build/bench/guard_bench`: BPF_PROG_TEST_RUN; *empty* is an empty tc program.", ""]
    lines += table(["frame", "empty ns", "2 ports", "200 ports", "2000 ports"],
                   [(row["name"], row["empty"], row["ports_2"], row["ports_200"], row["ports_2000"])
                    for row in figures["results"]])
    return lines + [""]


def load_of(figures):
    return f"Load of the machine at the end: {figures['load']:.1f}."


def guard_rates(figures):
    counts = list(figures["rows"][0]["ports"])
    lines = ["## What a guarded port adds, beside rules of hypervisors", "",
             f"`bench/guard_rate_bench.py`: live frames over a bridge, rounds: {figures['rounds']}, each "
             f"of {figures['seconds']:g} s, interleaved; ns of the sender's processor time a frame more "
             "than without a guard in the same round: median (least–most), by guarded ports. "
             f"{load_of(figures)}", ""]
    return lines + table(["guard", *(f"{count} ports" for count in counts)], [
        (row["name"], *(f"{one['median']:.0f} ({one['least']:.0f}–{one['most']:.0f})"
                        for one in row["ports"].values())) for row in figures["rows"]]) + [""]


def overhead(figures):
    lines = ["## What the balancer costs a service", "",
             "`bench/overhead_bench.py`: nginx with a connection for each request (wrk), one TCP stream "
             f"(iperf3); {figures['rounds']} rounds, interleaved. Ratio: mean of the rounds' ratios and its "
             f"95 % confidence interval, above 100 % where ours does better; goal {figures['goal']:.0%}. "
             f"All adapters merge what they receive (GRO). {load_of(figures)}", ""]
    return lines + table(["what", "at", "median", "beside", "median", "ratio", "interval"], [
        (row["kind"], row["place"], f"{row['own']['median']:.1f}", row["beside"],
         f"{row['other']['median']:.1f}", f"{row['ratio']:.1%}", f"{row['low']:.1%}–{row['high']:.1%}")
        for row in figures["rows"]]) + [""]


def steering(figures):
    return ["## What steering saves a hypervisor", "",
            "`bench/steering_bench.py`: processor time of the whole lab a request, "
            f"{figures['rounds']} rounds, interleaved, {figures['connections']} connections each; ratio: "
            "median, least and most of the rounds' ratios. *spread*: all members serve; *one serves*: all "
            "requests belong to one member.", "", *steering_rows(figures)]


def steering_guests(figures):
    return ["The same where members are virtual machines (QEMU without acceleration, so that a guest's work "
            f"costs several times what it does elsewhere): {figures['rounds']} rounds, "
            f"{figures['connections']} connections each. {load_of(figures)}", "", *steering_rows(figures)]


def steering_rows(figures):
    heads = ["members", "µs a request", "of one member", "least–most", "others' frames a request"]
    return table(heads, [
        (name, f"{one['median_us']:.0f}", f"{one['ratio']:.2f}", f"{one['least']:.2f}–{one['most']:.2f}",
         f"{one['foreign_frames']:.2f}") for name, one in figures["figures"].items()]) + [""]


def failover(figures):
    lines = ["## Outage when a host dies or leaves", "",
             f"`bench/failover_bench.py`: as a client sees it, {figures['rounds']} rounds, interleaved; ms. "
             f"{load_of(figures)}", ""]
    return lines + table(["subject", "median", "least–most", "failed attempts", "with SYN retry, most"], [
        (name, f"{one['median']:.0f}", f"{one['least']:.0f}–{one['most']:.0f}", one["failed"],
         f"{one['patient_max_ms']:.0f}") for name, one in figures["subjects"].items()]) + [""]


def scaling(figures):
    def mebibytes(one):
        return f"{one['resident_kib'] / 1024:.1f}", f"{one['kernel_kib'] / 1024:.1f}"

    lines = ["## What more hosts, rules and connections cost", "",
             f"`bench/scaling_bench.py`: default profile, each cluster watched for {figures['seconds']:g} s "
             "in which nothing happens, then one host stops and comes back. All daemons share this machine; "
             "*machine* is how much of it they, the kernel and the bridge between them keep busy. "
             f"keepalived's standby, which hears 100 advertisements a second of one host, uses "
             f"{figures['keepalived']['cpu_ms']:.1f} ms a second.", ""]
    lines += table(["hosts", "processor, ms a second a daemon", "machine", "kB/s sent", "frames/s sent",
                    "resident MiB", "maps and programs, MiB", "leave, ms", "join, ms"], [
        (hosts, f"{one['cpu_ms']:.1f}", f"{one['busy']:.0%}", f"{one['octets'] / 1000:.1f}",
         f"{one['frames']:.0f}", *mebibytes(one), one["leave_ms"], one["join_ms"])
        for hosts, one in figures["hosts"].items()]) + [""]
    return lines + table(["two hosts with", "resident MiB", "maps and programs, MiB"], [
        (name, *mebibytes(one)) for name, one in figures["memory"].items()]) + [""]


SECTIONS = (("filter", decision), ("rates", rates), ("overhead", overhead), ("balance", balance),
            ("guard", guard), ("guard_rates", guard_rates), ("steering", steering),
            ("steering_guests", steering_guests), ("failover", failover), ("scaling", scaling))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, default=ROOT / "build/bench")
    directory = parser.parse_args().directory
    if not any((directory / f"{name}.json").exists() for name, _ in SECTIONS):
        parser.error(f"{directory} has no figures; `make bench` leaves some there")
    found = {name: load(directory, name) for name, _ in SECTIONS}
    machine = (found["filter"] or {}).get("machine", {})
    lines = ["# Performance", "",
             "Made by `make bench && python3 bench/report.py`. Absolute figures are this machine's; the "
             "ratios are what is to be compared.", "",
             f"Machine: {machine.get('processor', 'unknown')}, Linux {machine.get('kernel', 'unknown')}.", ""]
    for name, write in SECTIONS:
        lines += write(found[name]) if found[name] else [f"*Not measured in this run: {name}.*", ""]
    notes = (ROOT / "bench/notes.md").read_text().split("\n", 1)[1]  # without its heading
    OUT.mkdir(exist_ok=True)
    (OUT / "performance.md").write_text("\n".join(lines).rstrip() + "\n" + notes)


if __name__ == "__main__":
    main()
