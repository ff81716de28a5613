#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The story of NLB in virtual machines, claim by claim: `nlb lab story` with auto and with replace, and the
control group, in which the same claims about the five symptoms must fail."""
import json

from live import Failure, main, need


def tell(lab, *words):
    done = lab.lab("story", "--json", *words, check=False, timeout=400)
    try:
        return done.returncode, json.loads(done.stdout)["claims"]
    except (ValueError, KeyError) as problem:
        raise Failure(f"no story: exit {done.returncode}: {done.stdout}{done.stderr}") from problem


def told(run, title, *words):
    code, claims = tell(run.lab, *words)
    for claim in claims:
        with run.case(f"{title}: {claim['text']}") as notes:
            notes.append(claim["seen"])
            need(claim["holds"], claim["seen"])
    with run.case(f"{title}: exit 0, and all five symptoms were looked at"):
        need(code == 0, f"exit {code}")
        need({claim["symptom"] for claim in claims} == set(range(6)), claims)


def control_group(run):
    code, claims = tell(run.lab, "--as-windows")
    for symptom in range(1, 6):
        with run.case(f"as Windows: symptom {symptom} really happens, so its claim can fail") as notes:
            failed = [claim for claim in claims if claim["symptom"] == symptom and not claim["holds"]]
            need(failed, [claim for claim in claims if claim["symptom"] == symptom])
            notes += [f"{claim['text']}: {claim['seen']}" for claim in failed]
    with run.case("as Windows: exit 0"):
        need(code == 0, f"exit {code}")


def scenario(run):
    run.lab.lab("down")
    told(run, "auto")
    told(run, "replace", "--mac-strategy", "replace")
    control_group(run)


if __name__ == "__main__":
    main(scenario)
