// SPDX-License-Identifier: Apache-2.0
// A cluster's state as the pages need it: one entry a host, from what each host says of itself and, where it
// says nothing, from what the host that was asked says of it.

const answers = (list) => new Map((list || []).map((one) => [one.host, one]));
const good = (entry) => (entry && !entry.answer.error ? entry.answer : null);

function idsOf(view, all) {
  const ids = new Set((view.members || []).map((member) => member.id));
  for (const entry of all.queries || []) ids.add(entry.host);
  for (const known of view.known || []) ids.add(known.id);
  return [...ids].sort((one, other) => one - other);
}

export function shareOf(rule, host) {
  const member = (rule.members || []).find((one) => one.id === host);
  return member ? member.share : 0;
}

export function clusterOf(state, samples) {
  const view = state.view || {}, all = state.all || {};
  const queries = answers(all.queries), connections = answers(all.connections),
      displays = answers(all.displays);
  const last = (samples || []).at(-1);
  const rules = view.rules || [];
  const hosts = idsOf(view, all).map((id) => {
    const member = (view.members || []).find((one) => one.id === id);
    const own = good(queries.get(id));
    const answered = own || (member && id === view.host);
    return {
      id,
      name: (queries.get(id) || member || {}).name || "",
      state: own ? own.state : member ? member.state : "silent",
      isDefault: member ? member.default : Boolean(own && own.default),
      answered: Boolean(answered),
      trouble: queries.get(id)?.answer.error?.message || "",
      lastHeard: id === view.host ? 0 : member?.last_heard_ms,
      asked: id === view.host,
      address: member?.dedicated_ip || "",
      drain: own?.drain,
      unhealthy: member?.unhealthy || [],
      share: rules.length ? shareOf(rules[0], id) : undefined,
      connections: good(connections.get(id))?.total,
      byRule: new Map((good(connections.get(id))?.rules || []).map((one) => [one.slot, one.connections])),
      rates: last?.hosts[id],
      display: good(displays.get(id)),
    };
  });
  const taking = hosts.filter((host) => ["converged", "draining"].includes(host.state));
  return { id: state.id, name: state.name, role: state.role, view, hosts, rules, taking,
    error: state.connected ? view.error || all.trouble : state.error, history: all.history || [],
    display: good(displays.get(view.host)) || hosts.find((host) => host.display)?.display };
}

const MOST_AREAS = 16;

/** The areas of the chart, the lowest first: each host's own, or of many hosts some neighbours'. */
export function areasOf(ids) {
  const many = Math.ceil(ids.length / MOST_AREAS);
  if (many <= 1) return ids.map((id) => ({ ids: [id], colour: id }));
  const areas = [];
  for (let from = 0; from < ids.length; from += many)
    areas.push({ ids: ids.slice(from, from + many), colour: areas.length + 1 });
  return areas;
}

const opensOf = (sample, ids) => ids.reduce((sum, id) => sum + (sample?.hosts[id]?.opens || 0), 0);

/** What stands below the chart where areas are not hosts: [{name, colour, opens}]. */
export function sharedAreasOf(ids, sample) {
  const areas = areasOf(ids);
  if (areas.length === ids.length) return [];
  return areas.map(({ ids: [first, ...others], colour }) => ({ colour, opens: opensOf(sample, [first, ...others]),
    name: others.length ? `Hosts ${first}–${others.at(-1)}` : `Host ${first}` }));
}

/** Columns for uPlot: times, then the sums up to each area, the whole first so that the others cover it. */
export function columnsOf(all, ids) {
  const areas = areasOf(ids);
  const samples = all.filter((sample) => Object.keys(sample.hosts).length);
  const sums = samples.map((sample) => {
    let sum = 0;
    return areas.map((area) => sum += opensOf(sample, area.ids));
  });
  return [samples.map((sample) => sample.time_ms / 1000),
    ...areas.map((_, index) => sums.map((row) => row[areas.length - 1 - index]))];
}

const WINDOWS_MS = [60000, 120000, 300000, 600000];

/** The shortest span that shows all there is. */
export function windowOf(samples) {
  const span = samples.length ? samples.at(-1).time_ms - samples[0].time_ms : 0;
  return WINDOWS_MS.find((one) => span <= one) || WINDOWS_MS.at(-1);
}

const MOST_NAMED = 4; // what fits beside a mark
const named = (sign, ids) => (ids.length > MOST_NAMED ? [`${sign}${ids.length} hosts`] : ids.map((id) => `${sign}${id}`));

/** Changes of membership within the window: {time, view, text, joined, left}. */
export function changesOf(history, now, span) {
  const marks = [];
  let before = null;
  for (const entry of history) {
    const joined = before ? entry.members.filter((id) => !before.includes(id)) : [];
    const left = before ? before.filter((id) => !entry.members.includes(id)) : [];
    const what = [...named("−", left), ...named("+", joined)].join(" ");
    if (now - entry.time_ms < span)
      marks.push({ time: entry.time_ms, view: entry.view, text: what, cause: entry.cause,
          ms: entry.duration_ms });
    before = entry.members;
  }
  return marks;
}

/** For one host, when it was in the view: [{from, to}] within the window. */
export function staysOf(history, host, now, span) {
  const stays = [];
  history.forEach((entry, index) => {
    if (!entry.members.includes(host)) return;
    const to = index + 1 < history.length ? history[index + 1].time_ms : now;
    const from = Math.max(entry.time_ms, now - span);
    if (to <= from) return;
    const last = stays.at(-1);
    if (last && last.to >= from) last.to = to;
    else stays.push({ from, to });
  });
  return stays;
}

/** Sums of all hosts' newest rates by verdict. */
export function verdictsOf(samples) {
  const last = (samples || []).at(-1);
  const sums = new Map();
  for (const host of Object.values(last?.hosts || {}))
    for (const [name, value] of Object.entries(host.verdicts || {})) sums.set(name,
        (sums.get(name) || 0) + value);
  return [...sums].sort((one, other) => other[1] - one[1]);
}
