# SPDX-License-Identifier: Apache-2.0
"""Real servers and the programs that their users run: how each is started on a host of the lab, what is asked
of it, and how many errors the client's own program reports.

A server listens on all addresses of its host, in the host's namespace, in the foreground; it ends with the
process that started it. A client runs in the namespace of client 1 until `seconds` are over."""
import re
import shutil
from collections import namedtuple
from pathlib import Path

# Of one client's run: how much it did, in its own words, and how many errors it reported.
Outcome = namedtuple("Outcome", "done errors text")
# tool: the program; words: its command line; judge(exit code, output): an Outcome
Client = namedtuple("Client", "tool words judge")
# rules: (port, protocol, affinity); prepare(directory, hosts); server(directory, host): a command line, or
# none; clients(address, seconds, directory): [Client]; tools: what has to be installed
Program = namedtuple("Program", "name tools rules prepare server clients")

NGINX_PORT, REDIS_PORT, POSTGRES_PORT, SSH_PORT, DNS_PORT, IPERF_PORT = 8080, 6379, 5432, 22, 53, 5201
GIBIBYTE = 1 << 30


def in_url(address):
    return f"[{address}]" if ":" in address else address


def until(seconds, command):
    """One after the other until the time is over; each failure is a line that begins with FAILED."""
    return ["sh", "-c", f"end=$(($(date +%s) + {seconds})); n=0; while [ $(date +%s) -lt $end ]; do "
                        f"{command} || echo \"FAILED $?\"; n=$((n+1)); done; echo DONE $n"]


def judge_rounds(unit):
    def judge(code, output):
        done = re.search(r"^DONE (\d+)", output, re.M)
        failed = [line for line in output.splitlines() if line.startswith("FAILED")]
        errors = len(failed) + (code != 0 or not done)
        return Outcome(f"{done.group(1) if done else 0} {unit}", errors, output[-600:] if errors else "")
    return judge


def number(pattern, output):
    found = re.search(pattern, output)
    return found.group(1) if found else "?"


# ---- nginx ----

def nginx_prepare(directory, hosts):
    for host in hosts:
        place = directory / f"nginx{host}"
        place.mkdir()
        (place / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {place}/pid; error_log {place}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {place}; proxy_temp_path {place}; fastcgi_temp_path {place};
  uwsgi_temp_path {place}; scgi_temp_path {place};
  server {{ listen 0.0.0.0:{NGINX_PORT}; listen [::]:{NGINX_PORT};
            location / {{ return 200 "host={host}\\n"; }} }}
}}
""")


def judge_curl(code, output):
    answers = len(re.findall(r"^host=\d", output, re.M))
    hosts = len(set(re.findall(r"^host=(\d)", output, re.M)))
    errors = len(re.findall(r"^curl: ", output, re.M)) or int(code != 0)
    return Outcome(f"{answers} connections, {hosts} hosts", errors, output[-600:] if errors else "")


def judge_wrk(code, output):
    bad = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    errors = sum(map(int, bad.groups())) if bad else 0
    errors += int(number(r"Non-2xx or 3xx responses: (\d+)", output).replace("?", "0")) + (code != 0)
    requests = number(r"(\d+) requests in", output)
    return Outcome(f"{requests} requests", errors, output[-600:] if errors else "")


def nginx_clients(address, seconds, _directory):
    url = f"http://{in_url(address)}:{NGINX_PORT}"
    curl = ["curl", "-sS", "-f", "-g", "-m", "10", "--rate", "100/s", "-H", "Connection: close"]
    return [Client("curl", [*curl, *(f"{url}/?{n}" for n in range(100 * seconds))], judge_curl),
            Client("wrk", ["wrk", "-t1", "-c20", f"-d{seconds}s", "--timeout", "5s", url + "/"], judge_wrk)]


NGINX = Program("nginx", ["nginx", "curl", "wrk"], [(NGINX_PORT, "tcp", "none")], nginx_prepare,
                lambda directory, host: ["nginx", "-c", str(directory / f"nginx{host}/nginx.conf"), "-e",
                                         str(directory / f"nginx{host}/error.log")], nginx_clients)


# ---- Redis ----

BENCHMARK = "-c 20 -n 10000 -q -t get,set"


def redis_prepare(directory, _hosts):
    # The server and the checker of Debian's redis-tools are one program, told apart by its name.
    (directory / "redis-server").symlink_to(shutil.which("redis-server") or shutil.which("redis-check-rdb"))


def redis_server(directory, _host):
    return [str(directory / "redis-server"), "--port", str(REDIS_PORT), "--bind", "0.0.0.0", "::",
            "--protected-mode", "no", "--save", "", "--dir", str(directory)]


def redis_clients(address, seconds, _directory):
    at = f"-h {address} -p {REDIS_PORT}"
    return [Client("redis-cli", until(seconds, f"redis-cli {at} PING | grep -qx PONG"),
                   judge_rounds("connections")),
            Client("redis-benchmark", until(seconds, f"redis-benchmark {at} {BENCHMARK} >/dev/null"),
                   judge_rounds("times 20,000 requests"))]


REDIS = Program("Redis", ["redis-cli", "redis-benchmark", "redis-check-rdb"], [(REDIS_PORT, "tcp", "none")],
                redis_prepare, redis_server, redis_clients)


# ---- DNS over UDP ----

def dns_prepare(directory, _hosts):
    (directory / "names").write_text("".join(f"n{n}.example\n" for n in range(50)))


def dns_server(directory, host):
    return ["dnsmasq", "-k", "-C", "/dev/null", "-R", "-h", f"--pid-file={directory}/dnsmasq{host}.pid",
            "--user=root", "--address=/example/192.0.2.1", f"--port={DNS_PORT}"]


def dns_clients(address, seconds, directory):
    ask = f"dig @{address} -p {DNS_PORT} +short +time=1 +tries=3 -f {directory}/names"
    return [Client("dig", until(seconds, f"[ $({ask} | grep -cx 192.0.2.1) = 50 ]"),
                   judge_rounds("times 50 questions"))]


DNS = Program("dnsmasq", ["dnsmasq", "dig"], [(DNS_PORT, "udp", "none")], dns_prepare, dns_server,
              dns_clients)


# ---- PostgreSQL ----

def postgres_tool(name):
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else name


AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def postgres_prepare(directory, hosts, run):
    for host in hosts:
        place = directory / f"postgres{host}"
        place.mkdir()
        shutil.chown(place, "postgres", "postgres")
        run([*AS_POSTGRES, postgres_tool("initdb"), "-D", str(place / "data"), "-A", "trust", "-N"])
        access = place / "data/pg_hba.conf"
        access.write_text(access.read_text() + "host all all 0.0.0.0/0 trust\nhost all all ::/0 trust\n")


def postgres_server(directory, host):
    place = directory / f"postgres{host}"
    return [*AS_POSTGRES, postgres_tool("postgres"), "-D", str(place / "data"), "-h", "*", "-p",
            str(POSTGRES_PORT), "-k", str(place), "-c", "fsync=off", "-c", "max_connections=60"]


def judge_pgbench(code, output):
    failed = int(number(r"number of failed transactions: (\d+)", output).replace("?", "1"))
    broken = len(re.findall(r"(?i)aborted|could not|lost synchronization|terminated", output))
    errors = failed + broken + (code != 0)
    done = number(r"number of transactions actually processed: (\d+)", output)
    return Outcome(f"{done} transactions", errors, output[-600:] if errors else "")


def postgres_clients(address, seconds, _directory):
    at = ["-h", address, "-p", str(POSTGRES_PORT), "-U", "postgres"]
    psql = " ".join(["psql", *at, "-qAtc", "'select 1'", "postgres", "| grep -qx 1"])
    bench = [postgres_tool("pgbench"), *at, "-n", "-c", "8", "-T", str(seconds), "postgres"]
    return [Client("psql", until(seconds, psql), judge_rounds("connections")),
            Client("pgbench", bench, judge_pgbench)]


POSTGRES = Program("PostgreSQL", ["psql", "pgbench"], [(POSTGRES_PORT, "tcp", "none")], postgres_prepare,
                   postgres_server, postgres_clients)


# ---- OpenSSH ----

def ssh_prepare(directory, _hosts, run):
    Path("/run/sshd").mkdir(exist_ok=True)  # OpenSSH's own, for its unprivileged half
    for name in ("host_key", "user_key"):
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)])
    with open(directory / "large", "wb") as large:
        large.truncate(GIBIBYTE)
    (directory / "sshd_config").write_text(
        f"Port {SSH_PORT}\nHostKey {directory}/host_key\nAuthorizedKeysFile {directory}/user_key.pub\n"
        f"PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nMaxStartups 100\n"
        f"Subsystem sftp internal-sftp\n")


def judge_scp(code, output):
    return Outcome("1 GiB", int(code != 0), output[-600:] if code != 0 else "")


def ssh_clients(address, seconds, directory):
    options = ["-i", f"{directory}/user_key", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
               "-o", f"UserKnownHostsFile={directory}/known"]
    login = " ".join(["ssh", *options, f"root@{address}", "true"])
    copy = ["scp", "-q", *options, f"root@{in_url(address)}:{directory}/large", f"{directory}/copy"]
    whole = ["sh", "-c", f"{' '.join(copy)} && cmp {directory}/large {directory}/copy; code=$?; "
                         f"rm -f {directory}/copy; exit $code"]
    return [Client("ssh", until(seconds, login), judge_rounds("logins")), Client("scp", whole, judge_scp)]


SSH = Program("OpenSSH", ["sshd", "ssh", "scp"], [(SSH_PORT, "tcp", "none")], ssh_prepare,
              lambda directory, _host: [shutil.which("sshd"), "-D", "-f", str(directory / "sshd_config")],
              ssh_clients)


# ---- iperf3: the data connection has to meet the host of the control connection ----

def judge_iperf(code, output):
    errors = int(code != 0 or "error" in output)
    return Outcome(number(r"([\d.]+ [MG]bits/sec)[^\n]*receiver", output), errors,
                   output[-600:] if errors else "")


IPERF = Program("iperf3", ["iperf3"], [(IPERF_PORT, "tcp", "single")], lambda directory, hosts: None,
                lambda directory, host: ["iperf3", "-s", "-p", str(IPERF_PORT)],
                lambda address, seconds, directory: [Client("iperf3", ["iperf3", "-c", address, "-p",
                                                     str(IPERF_PORT), "-t", str(seconds)], judge_iperf)])

ALL = [NGINX, REDIS, DNS, POSTGRES, SSH, IPERF]
IN_CI = [NGINX, REDIS, DNS]


def missing_tools(program):
    return [tool for tool in program.tools
            if not shutil.which(tool) and not Path(postgres_tool(tool)).exists()]
