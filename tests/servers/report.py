# SPDX-License-Identifier: Apache-2.0
"""docs/results/servers.md from the records of run.py."""
import json

HEAD = """# Real servers and clients

Written by `tests/servers/run.py --report`. {hosts} hosts and one client in network namespaces of one machine
({processors} processors, Linux {kernel}), commit {commit}. While the clients of a server run for some
seconds, host 3 joins and host 2 is drained. Errors are those that the client's own program reports; in front
of them stands what it did. Each cell is one run, beside other work on the machine: no figure of speed.
"""


def write_report(directory, modes, path):
    records = [json.loads(file.read_text()) for file in sorted(directory.glob("*.json"))]
    if not records:
        print(f"{directory}: no records; run tests/servers/run.py first")
        return 1
    cells = {(one["program"], one["tool"], record["family"], record["mode"]): one
             for record in records for one in record["figures"]}
    rows = sorted({key[:3] for key in cells})
    commits = ",\n".join(sorted({record["commit"] for record in records}))
    lines = [HEAD.format(hosts=3, processors=records[0]["processors"], kernel=records[0]["kernel"],
                         commit=commits),
             "| server | client | family | " + " | ".join(modes) + " |",
             "|---|---|---|" + "---|" * len(modes)]
    for row in rows:
        shown = []
        for mode in modes:
            one = cells.get((*row, mode))
            shown.append("not run" if one is None else
                         f"{one['done']}: **{one['errors']} errors**" if one["errors"] else
                         f"{one['done']}: 0 errors")
        lines.append("| " + " | ".join([*row, *shown]) + " |")
    failed = sum(one["errors"] > 0 for one in cells.values())
    lines += ["", f"{len(cells)} of {len(rows) * len(modes)} run, {len(cells) - failed} without an error."]
    path.write_text("\n".join(lines) + "\n")
    print(f"{path}: {len(cells)} cells, {failed} with errors")
    return 0
