// SPDX-License-Identifier: Apache-2.0
// The console's API: requests with the session's cookie and CSRF word, and the stream of what happens.

let csrf = "";

export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || `HTTP ${status}`);
    this.status = status;
    this.title = document.title || "It failed";
  }
}

async function request(method, path, body) {
  const headers = method === "POST" ? { "Content-Type": "application/json", "X-CSRF-Token": csrf } : {};
  let answer;
  try {
    const options = { method, headers, body: body === undefined ? undefined : JSON.stringify(body) };
    answer = await fetch(`/api/v1${path}`, options);
  } catch {
    throw new Problem(0, { title: "The console does not answer", detail: "Is nlb-console still running?" });
  }
  const document = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, document);
  return document;
}

/** Whether this browser has logged in. */
export async function openSession() {
  const session = await request("GET", "/session");
  csrf = session.csrf || "";
  return session.open;
}

export async function login(token) {
  csrf = (await request("POST", "/login", { token })).csrf;
}

export async function logout() {
  await request("POST", "/logout", {});
  csrf = "";
}

const path = (target, what) => `/targets/${encodeURIComponent(target)}/${what}`;

export function targets() {
  return request("GET", "/targets");
}

/** What a port rule's keys may be and what a change of each causes. */
export function changeFields() {
  return request("GET", "/change-fields");
}

export function read(target, what, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  return request("GET", path(target, what) + (query ? `?${query}` : ""));
}

export function command(target, name, body = {}) {
  return request("POST", path(target, `commands/${name}`), body);
}

/** Calls take(event, data) for each message; lost() when the stream breaks (it opens itself again). */
export function follow(take, opened, lost) {
  const source = new EventSource("/api/v1/live");
  for (const event of ["state", "sample", "events"])
    source.addEventListener(event, (message) => take(event, JSON.parse(message.data)));
  source.addEventListener("open", opened);
  source.addEventListener("error", () => lost(source.readyState === EventSource.CLOSED));
  return source;
}
