#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes opennlb.json, the Grafana dashboard, from the list of panels below: 900 lines of JSON nobody would
keep in order by hand. `make_dashboard.py --check` says whether the file is what the list says."""
import json
import sys
from pathlib import Path

FILE = Path(__file__).with_name("opennlb.json")
SOURCE = {"type": "prometheus", "uid": "${source}"}
OF = 'cluster=~"$cluster"'
HOST = "host {{host}}"

# (title, kind, width, height, unit, [(expression, legend)], what is special)
PANELS = [
    ("Cluster", "row"),
    ("Hosts that serve", "stat", 4, 4, "none",
     [(f'count(opennlb_host_state{{state="converged",{OF}}} == 1)', "")], {}),
    ("Hosts that are refused", "stat", 4, 4, "none",
     [(f'count(opennlb_host_state{{state="refused",{OF}}} == 1) or vector(0)', "")], {"alarm_from": 1}),
    ("Default hosts", "stat", 4, 4, "none",
     [(f"count by (cluster) (opennlb_host_default{{{OF}}} == 1)", "{{cluster}}")], {"alarm_from": 2}),
    ("Clients that somebody serves", "stat", 4, 4, "percentunit",
     [(f"min(sum by (cluster, rule) (opennlb_rule_share_ratio{{{OF}}}))", "")], {}),
    ("Convergences in the last hour", "stat", 4, 4, "none",
     [(f"max(increase(opennlb_convergence_duration_seconds_count{{{OF}}}[1h]))", "")], {}),
    ("Live connections", "stat", 4, 4, "none",
     [(f"sum(opennlb_rule_connections{{{OF}}})", "")], {}),
    ("State of the hosts", "state-timeline", 24, 7, "none",
     [(f"max by (cluster, host, state) (opennlb_host_state{{{OF}}}) == 1",
       "{{cluster}} host {{host}} {{state}}")], {}),
    ("Share by host", "timeseries", 12, 8, "percentunit",
     [(f'opennlb_rule_share_ratio{{rule=~"$rule",{OF}}}', HOST + " {{rule}}")], {"stack": True, "max": 1}),
    ("Frames accepted", "timeseries", 12, 8, "pps",
     [(f'sum by (host) (rate(opennlb_filter_packets_total{{action="accepted",{OF}}}[$__rate_interval]))',
       HOST)], {"stack": True}),
    ("Live connections by host", "timeseries", 12, 8, "none",
     [(f"sum by (host) (opennlb_rule_connections{{{OF}}})", HOST)], {"stack": True}),
    ("Frames dropped, by verdict", "timeseries", 12, 8, "pps",
     [(f'sum by (verdict) (rate(opennlb_filter_packets_total{{action="dropped",{OF}}}[$__rate_interval]))',
       "{{verdict}}")], {"stack": True}),
    ("Convergence and heartbeats", "row"),
    ("How long convergences took", "timeseries", 12, 8, "s",
     [(f"histogram_quantile({part}, sum by (le) "
       f"(increase(opennlb_convergence_duration_seconds_bucket{{{OF}}}[1h])))", f"{part:.0%} within")
      for part in (0.5, 0.99)], {}),
    ("Silence of members", "timeseries", 12, 8, "s",
     [(f"max by (member) (opennlb_member_silence_seconds{{{OF}}})", "host {{member}}"),
      (f"max(opennlb_failure_detection_seconds{{{OF}}})", "counts as failed")], {}),
    ("Lease left", "timeseries", 12, 8, "s", [(f"opennlb_lease_seconds{{{OF}}}", HOST)], {}),
    ("Heartbeats refused", "timeseries", 12, 8, "pps",
     [(f"sum by (host, reason) (rate(opennlb_heartbeats_refused_total{{{OF}}}[$__rate_interval])) > 0",
       HOST + " {{reason}}")], {}),
    ("Events", "timeseries", 12, 8, "none",
     [('sum by (name) (increase(opennlb_events_total{severity!="info"}[$__rate_interval])) > 0',
       "{{name}}")], {"bars": True}),
    ("Buckets held and kept", "timeseries", 12, 8, "none",
     [(f'opennlb_rule_buckets{{kind!="owned",rule=~"$rule",{OF}}}', HOST + " {{kind}} {{rule}}")], {}),
    ("Health checks", "timeseries", 24, 6, "none",
     [(f"opennlb_health_check_healthy{{{OF}}}", HOST + " {{rule}} {{type}} {{target}}")], {"max": 1}),
    ("Guard of the switch", "row"),
    ("Policy in force", "stat", 4, 6, "none", [("min(opennlb_guard_in_force)", "")], {"alarm_below": 1}),
    ("Ports that pass nothing", "stat", 4, 6, "none",
     [("count(opennlb_guard_port_ready == 0) or vector(0)", "")], {"alarm_from": 1}),
    ("Violations by port and reason", "timeseries", 16, 6, "pps",
     [("sum by (vm, port, reason) (rate(opennlb_guard_violations_total[$__rate_interval])) > 0",
       "{{vm}} {{port}} {{reason}}")], {}),
    ("Frames let through", "timeseries", 24, 8, "pps",
     [('sum by (vm, port, direction) (rate(opennlb_guard_frames_total{reason="passed"}[$__rate_interval]))',
       "{{vm}} {{port}} {{direction}}")], {}),
]


def field_config(kind, unit, special):
    steps = [{"color": "green", "value": None}]
    if "alarm_from" in special:
        steps.append({"color": "red", "value": special["alarm_from"]})
    if "alarm_below" in special:
        steps = [{"color": "red", "value": None}, {"color": "green", "value": special["alarm_below"]}]
    defaults = {"unit": unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}
    if "max" in special:
        defaults["max"] = special["max"]
    if kind == "timeseries":
        defaults["custom"] = {"fillOpacity": 40 if special.get("stack") else 8, "lineWidth": 1,
                              "drawStyle": "bars" if special.get("bars") else "line",
                              "stacking": {"mode": "normal" if special.get("stack") else "none",
                                           "group": "A"}}
    return {"defaults": defaults, "overrides": []}


def panel(number, place, title, kind, unit, queries, special):
    return {"id": number, "title": title, "type": kind, "datasource": SOURCE, "gridPos": place,
            "fieldConfig": field_config(kind, unit, special),
            "options": {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                        "tooltip": {"mode": "multi"}} if kind == "timeseries" else {},
            "targets": [{"refId": chr(ord("A") + i), "datasource": SOURCE, "expr": expression,
                         "legendFormat": legend} for i, (expression, legend) in enumerate(queries)]}


def panels():
    made, x, y, line = [], 0, 0, 0
    for number, (title, kind, *rest) in enumerate(PANELS, 1):
        width, height = (24, 1) if kind == "row" else rest[:2]
        if x + width > 24:
            x, y, line = 0, y + line, 0
        place = {"x": x, "y": y, "w": width, "h": height}
        x, line = x + width, max(line, height)
        if kind == "row":
            made.append({"id": number, "title": title, "type": "row", "collapsed": False, "gridPos": place,
                         "panels": []})
        else:
            made.append(panel(number, place, title, kind, *rest[2:]))
    return made


def variable(name, label, query):
    return {"name": name, "label": label, "type": "query", "datasource": SOURCE,
            "query": {"query": query, "refId": name}, "refresh": 2, "sort": 1, "multi": True,
            "includeAll": True, "current": {"text": "All", "value": "$__all"}}


def dashboard():
    return {
        "uid": "opennlb", "title": "OpenNLB", "tags": ["opennlb"], "schemaVersion": 38, "version": 1,
        "editable": True, "refresh": "10s", "time": {"from": "now-1h", "to": "now"}, "timezone": "browser",
        "graphTooltip": 1,
        "annotations": {"list": [{
            "name": "Membership changes", "datasource": SOURCE, "enable": True, "iconColor": "orange",
            "expr": f"changes(opennlb_view_number{{{OF}}}[1m]) > 0",
            "titleFormat": "view of host {{host}} changed"}]},
        "templating": {"list": [
            {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus",
             "current": {}, "refresh": 1},
            variable("cluster", "cluster", "label_values(opennlb_host_state, cluster)"),
            variable("rule", "port rule",
                     'label_values(opennlb_rule_share_ratio{cluster=~"$cluster"}, rule)')]},
        "panels": panels()}


def main():
    text = json.dumps(dashboard(), indent=1) + "\n"
    if "--check" not in sys.argv:
        FILE.write_text(text)
    elif FILE.read_text() != text:
        sys.exit(f"{FILE.name} is not what the list says: run packaging/grafana/make_dashboard.py")


if __name__ == "__main__":
    main()
