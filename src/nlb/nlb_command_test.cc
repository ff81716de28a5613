// SPDX-License-Identifier: Apache-2.0
// The program as a user runs it, against a daemon that answers from a script: options, exit codes, where
// output goes.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <nlohmann/json.hpp>

#include "control/control.hh"

namespace nlb {
namespace {

using nlohmann::json;

struct Outcome {
  int exit = -1;
  std::string out, err;
};

class NlbCommand : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/nlb-cmd-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    socket_ = directory_ + "/control.sock";
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }

  // The daemon's side: answers with `answer`, and remembers what it was asked.
  void serve(std::function<json(const json&)> answer) {
    auto server =
        ControlServer::listen(socket_, [this, answer = std::move(answer)](const json& request, const Peer&) {
          const std::lock_guard lock(mutex_);
          requests_.push_back(request);
          return answer(request);
        });
    ASSERT_TRUE(server.has_value()) << server.error().message;
    server_ = std::move(*server);
  }

  Outcome nlb(const std::string& arguments, bool with_socket = true) const {
    const auto out = directory_ + "/out", err = directory_ + "/err";
    const std::string line = std::string(NLB_PROGRAM) + (with_socket ? " --socket " + socket_ : "") + " " +
                             arguments + " >" + out + " 2>" + err;
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_of(out), text_of(err)};
  }

  json asked(const std::string& arguments) {
    requests_.clear();
    const auto outcome = nlb(arguments);
    EXPECT_EQ(outcome.exit, 0) << outcome.err;
    const std::lock_guard lock(mutex_);
    return requests_.empty() ? json() : requests_.front();
  }

  static std::string text_of(const std::string& path) {
    std::ifstream stream(path);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  std::string directory_, socket_;
  std::mutex mutex_;
  std::vector<json> requests_;
  std::unique_ptr<ControlServer> server_;
};

json converged() {
  return {{"schema", 1},          {"cluster", "web"}, {"host", 1},
          {"state", "converged"}, {"default", true},  {"members", json::array()}};
}

TEST_F(NlbCommand, PrintsTextOrJsonWhereverTheOptionStands) {
  serve([](const json&) { return converged(); });
  EXPECT_NE(nlb("query").out.find("Host 1 converged as DEFAULT with"), std::string::npos);
  for (const char* line : {"--json query", "query --json"}) {
    const auto outcome = nlb(line);
    EXPECT_EQ(outcome.exit, 0);
    EXPECT_EQ(json::parse(outcome.out), converged()) << line;
    EXPECT_EQ(outcome.err, "");
  }
  EXPECT_EQ(nlb("query").out.find('\x1b'), std::string::npos) << "no colour into a file";
}

TEST_F(NlbCommand, TurnsEveryLineIntoTheRequestOfTheDocument) {
  serve([](const json&) { return json{{"schema", 1}, {"message", "ok"}}; });
  for (const char* plain : {"start", "stop", "drainstop", "suspend", "resume", "reload", "display", "params",
                            "history", "connections", "counters", "events", "query"})
    EXPECT_EQ(asked(plain), (json{{"command", plain}})) << plain;
  EXPECT_EQ(asked("drainstop --timeout 1.5"), (json{{"command", "drainstop"}, {"timeout_s", 1.5}}));
  EXPECT_EQ(asked("drain 80"), (json{{"command", "drain"}, {"port", 80}}));
  EXPECT_EQ(asked("enable all"), (json{{"command", "enable"}, {"port", "all"}}));
  EXPECT_EQ(asked("disable '[2001:db8::1]:80'"),
            (json{{"command", "disable"}, {"vip", "2001:db8::1"}, {"port", 80}}));
  EXPECT_EQ(asked("queryport all:443"), (json{{"command", "queryport"}, {"vip", "all"}, {"port", 443}}));
  EXPECT_EQ(asked("events --limit 5"), (json{{"command", "events"}, {"limit", 5}}));
  EXPECT_EQ(asked("filter --client 10.0.0.9:51000 --to 10.77.0.100:80 --protocol tcp --flags syn,ack"),
            (json{{"command", "filter"},
                  {"client", "10.0.0.9"},
                  {"client_port", 51000},
                  {"vip", "10.77.0.100"},
                  {"port", 80},
                  {"protocol", "tcp"},
                  {"flags", "syn,ack"}}));
  EXPECT_EQ(
      asked("filter --client 10.0.0.9 --to 10.77.0.100 --protocol icmp"),
      (json{{"command", "filter"}, {"client", "10.0.0.9"}, {"vip", "10.77.0.100"}, {"protocol", "icmp"}}));
}

TEST_F(NlbCommand, AsksOtherMembersAndForChangesOfTheWholeCluster) {
  serve([](const json&) { return json{{"schema", 1}, {"message", "ok"}, {"state", "stopped"}}; });
  EXPECT_EQ(asked("query --host 3"), (json{{"command", "query"}, {"hosts", {3}}}));
  EXPECT_EQ(asked("--all drain 80"), (json{{"command", "drain"}, {"port", 80}, {"hosts", "all"}}));
  const auto change = [&](const std::string& arguments) { return asked(arguments)["change"]; };
  EXPECT_EQ(change("rule add 10.77.0.100:80-443 --protocol tcp --weight 30 --timeout 60"),
            (json{{"op", "rule-add"},
                  {"rule",
                   {{"vip", "10.77.0.100"},
                    {"ports", "80-443"},
                    {"protocol", "tcp"},
                    {"weight", 30},
                    {"timeout_s", 60}}}}));
  EXPECT_EQ(change("rule set 53 --of-protocol udp --ports 54 --weight equal"),
            (json{{"op", "rule-set"},
                  {"select", {{"ports", "53"}, {"protocol", "udp"}}},
                  {"set", {{"ports", "54"}, {"weight", "equal"}}}}));
  EXPECT_EQ(change("rule remove all:80"),
            (json{{"op", "rule-remove"}, {"select", {{"vip", "all"}, {"ports", "80"}}}}));
  EXPECT_EQ(change("vip add 10.77.0.101/24"), (json{{"op", "vip-add"}, {"address", "10.77.0.101/24"}}));
  EXPECT_EQ(asked("weight 10 --rule 80"),
            (json{{"command", "change"},
                  {"change", {{"op", "weight"}, {"weight", 10}, {"select", {{"ports", "80"}}}}}}));
  EXPECT_EQ(asked("weight 10 --host 2"), (json{{"command", "change"},
                                               {"change", {{"op", "weight"}, {"weight", 10}}},
                                               {"local", true},
                                               {"hosts", {2}}}));
  EXPECT_EQ(asked("rule remove 80 --local")["local"], true);
  EXPECT_EQ(asked("forget 4"), (json{{"command", "forget"}, {"member", 4}}));
  for (const char* wrong :
       {"query --host 65", "query --host 1 --all", "keygen --all", "vmswitch show --all", "rule add 80x",
        "rule add :80", "rule set 80", "rule remove 80 --host 3", "forget 3 --all", "events --follow --all"})
    EXPECT_EQ(nlb(wrong).exit, 2) << wrong;
}

// nlb.exe's CLUSTER:HOST: by id at once, else by what the members say of themselves.
TEST_F(NlbCommand, TakesAHostBehindTheCluster) {
  serve([](const json&) {
    json answer = converged();
    answer["members"] = {
        {{"id", 1}, {"name", "web1.example"}, {"dedicated_ip", "10.77.0.11"}, {"default", true}},
        {{"id", 3}, {"name", "web3.example"}, {"dedicated_ip", "10.77.0.13"}, {"default", false}},
        {{"id", 4}, {"name", "twin"}, {"dedicated_ip", ""}, {"default", false}}};
    answer["known"] = {
        {{"id", 3}, {"name", "web3.example"}}, {{"id", 7}, {"name", "away"}}, {{"id", 5}, {"name", "twin"}}};
    return answer;
  });
  EXPECT_EQ(asked("stop ALL:3"), (json{{"command", "stop"}, {"hosts", {3}}}));
  const auto host_of = [&](const std::string& arguments) {
    requests_.clear();
    EXPECT_EQ(nlb(arguments).exit, 0) << arguments;
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(requests_.size(), 2u) << "a question, then the command";
    return requests_.empty() ? json() : requests_.back().value("hosts", json());
  };
  EXPECT_EQ(host_of("stop ALL:web3.example"), json::array({3}));
  EXPECT_EQ(host_of("stop ALL:web1"), json::array({1})) << "the first part of its name";
  EXPECT_EQ(host_of("drainstop all:10.77.0.13"), json::array({3}));
  EXPECT_EQ(host_of("query ALL:0"), json::array({1})) << "the default host";
  EXPECT_EQ(host_of("drain 80 ALL:away"), json::array({7})) << "known, and not a member now";
  const auto unknown = nlb("stop ALL:web9"), twins = nlb("stop ALL:twin");
  EXPECT_EQ(unknown.exit, 1);
  EXPECT_NE(unknown.err.find("known as \"web9\""), std::string::npos) << unknown.err;
  EXPECT_EQ(twins.exit, 1);
  EXPECT_NE(twins.err.find("hosts 4, 5 are named"), std::string::npos) << twins.err;
  for (const char* wrong : {"stop ALL:", "--host 2 stop ALL:3", "--all stop ALL:3", "stop web:3"})
    EXPECT_EQ(nlb(wrong).exit, 2) << wrong;
}

TEST_F(NlbCommand, SaysOfAllHostsWhichOneFailed) {
  const json one = {{"host", 1}, {"name", "web1"}, {"answer", {{"message", "Cluster operations: stop."}}}};
  const json other = {{"host", 2}, {"name", ""}, {"answer", {{"error", {{"message", "gone"}, {"exit", 3}}}}}};
  bool all_well = true;
  serve([&](const json&) {
    return json{{"schema", 1}, {"cluster", "web"}, {"answers", all_well ? json{one} : json{one, other}}};
  });
  EXPECT_EQ(nlb("stop --all").exit, 0);
  all_well = false;
  const auto failed = nlb("stop --all");
  EXPECT_EQ(failed.exit, 1);
  EXPECT_EQ(failed.out, "Host 1 (web1): Cluster operations: stop.\nHost 2: gone\n");
  EXPECT_EQ(failed.err, "nlb: host 2: gone\n");
}

TEST_F(NlbCommand, ExitsWithTheDaemonsCodeAndGivesTheReason) {
  serve([](const json& request) {
    return json{
        {"schema", 1},
        {"error", {{"message", "no rule holds port 81"}, {"exit", request["command"] == "stop" ? 4 : 1}}}};
  });
  const auto failed = nlb("queryport 81");
  EXPECT_EQ(failed.exit, 1);
  EXPECT_EQ(failed.out, "");
  EXPECT_EQ(failed.err, "nlb: no rule holds port 81\n");
  EXPECT_EQ(nlb("stop").exit, 4);
  const auto document = nlb("queryport 81 --json");
  EXPECT_EQ(document.exit, 1);
  EXPECT_EQ(json::parse(document.out),
            (json{{"schema", 1}, {"error", {{"message", "no rule holds port 81"}, {"exit", 1}}}}));
}

TEST_F(NlbCommand, ExitsWithTwoOnWrongUsageAndThreeWithoutADaemon) {
  for (const char* wrong :
       {"", "frobnicate", "query --timeout 3", "queryport", "queryport 1:2:3", "drain 80 90", "--json", "key",
        "filter --client 1.2.3.4 --to 10.77.0.100 --protocol tcp",
        "filter --client x --to 10.77.0.100:80 --protocol tcp",
        "filter --client 1.2.3.4 --to 10.77.0.100:80 --protocol gre",
        "filter --client 1.2.3.4 --to 10.77.0.100:80 --protocol udp --flags syn",
        "filter --client 1.2.3.4 --to 10.77.0.100:80 --protocol tcp --flags sin", "ip2mac 10.0.0", "keygen",
        "--cluster web query"}) {
    const auto outcome = nlb(wrong);
    EXPECT_EQ(outcome.exit, 2) << wrong;
    EXPECT_NE(outcome.err, "") << wrong;
  }
  EXPECT_EQ(nlb("qeury").err, "nlb: unknown command \"qeury\"; nearest: \"query\" (nlb --help lists all)\n");
  const auto absent = nlb("query");
  EXPECT_EQ(absent.exit, 3);
  EXPECT_NE(absent.err.find("is nlbd running?"), std::string::npos);
  EXPECT_EQ(nlb("--help").exit, 0);
  EXPECT_EQ(nlb("--version").out, std::string("nlb ") + NLB_VERSION + "\n");
}

TEST_F(NlbCommand, WaitsUntilConverged) {
  std::atomic<int> queries{0};
  serve([&](const json&) {
    auto answer = converged();
    if (++queries < 3) answer["state"] = "converging";
    return answer;
  });
  EXPECT_EQ(nlb("query --wait-converged").exit, 0);
  EXPECT_EQ(queries, 3);
  queries = -1000;
  const auto late = nlb("query --wait-converged --timeout 0.3");
  EXPECT_EQ(late.exit, 1);
  EXPECT_NE(late.err.find("not converged within 0.3 s, the state is converging"), std::string::npos)
      << late.err;
  server_.reset();
  EXPECT_EQ(nlb("query --wait-converged --timeout 0.2").exit, 3);
}

TEST_F(NlbCommand, WaitsForTheEndOfADrain) {
  std::atomic<int> queries{0};
  serve([&](const json& request) {
    auto answer = converged();
    answer["state"] = request["command"] == "query" && ++queries == 3 ? "stopped" : "draining";
    return answer;
  });
  const auto outcome = nlb("drainstop --wait --json");
  EXPECT_EQ(outcome.exit, 0);
  EXPECT_EQ(json::parse(outcome.out)["state"], "stopped");
  EXPECT_EQ(queries, 3);
}

TEST_F(NlbCommand, FollowsEventsFromWhereItStopped) {
  std::atomic<int> round{0};
  serve([&](const json& request) {
    const int now = ++round;
    if (now == 2) {
      EXPECT_EQ(request["log"], "L");
      EXPECT_EQ(request["after"], 1);
    }
    json events = json::array();
    if (now <= 2)
      events.push_back(
          {{"time", "T"}, {"number", 1000 + now}, {"name", "n"}, {"severity", "info"}, {"text", "t"}});
    return json{{"schema", 1}, {"log", "L"}, {"last", now}, {"lost", 0}, {"events", events}};
  });
  const auto out = directory_ + "/followed";
  const std::string line =
      std::string("timeout 1 ") + NLB_PROGRAM + " --socket " + socket_ + " events --follow --json >" + out;
  EXPECT_EQ(WEXITSTATUS(std::system(line.c_str())), 124) << "it goes on until it is stopped";
  std::ifstream stream(out);
  std::vector<int> numbers;
  for (std::string text; std::getline(stream, text);) numbers.push_back(json::parse(text)["number"]);
  EXPECT_EQ(numbers, (std::vector{1001, 1002}));
}

TEST_F(NlbCommand, WorksWithoutADaemonWhereItCan) {
  const auto macs = nlb("ip2mac 10.77.0.100", false);
  EXPECT_EQ(macs.exit, 0);
  EXPECT_NE(macs.out.find("Unicast        02:bf:0a:4d:00:64\n"), std::string::npos) << macs.out;
  EXPECT_NE(macs.out.find("02:01:0a:4d:00:64 (host 1) to 02:40:0a:4d:00:64 (host 64)"), std::string::npos)
      << macs.out;
  EXPECT_EQ(json::parse(nlb("--json ip2mac 10.77.0.100", false).out)["masked"].size(), 64u);
  EXPECT_EQ(json::parse(nlb("--json ip2mac 2001:db8:1::100", false).out)["unicast"], "02:bf:20:00:0c:b8");
  for (const char* nobody :
       {"224.0.0.1", "127.0.0.1", "fe80::1", "ff02::1", "::", "2001:db8::/64", "::ffff:1.2.3.4"})
    EXPECT_EQ(nlb(std::string("ip2mac ") + nobody, false).exit, 2) << nobody;
  const auto key = directory_ + "/web.key";
  EXPECT_EQ(nlb("keygen -o " + key, false).exit, 0);
  EXPECT_EQ(nlb("keygen " + key, false).exit, 1) << "never over an existing one";
  EXPECT_EQ(nlb("key rotate " + key, false).exit, 0);
  const auto status = json::parse(nlb("key status --json " + key, false).out);
  EXPECT_EQ(status["fingerprints"].size(), 2u);
  const auto everything = nlb("key status " + key, false).out + nlb("key rotate " + key, false).out;
  std::istringstream secrets(text_of(key));
  for (std::string word; secrets >> word;)
    EXPECT_TRUE(word.size() <= 16 || everything.find(word) == std::string::npos) << "a secret was printed";
  EXPECT_EQ(json::parse(nlb("version --json").out)["version"], NLB_VERSION);
}

TEST_F(NlbCommand, ComparesTheKeysOfFileAndDaemon) {
  const auto key = directory_ + "/web.key";
  ASSERT_EQ(nlb("keygen " + key, false).exit, 0);
  const auto fingerprints = json::parse(nlb("--json key status " + key, false).out)["fingerprints"];
  serve([&](const json&) { return json{{"schema", 1}, {"key_file", key}, {"fingerprints", fingerprints}}; });
  EXPECT_EQ(json::parse(nlb("--json key status").out)["matches"], true);
  ASSERT_EQ(nlb("key rotate").exit, 0) << "the daemon names the file";
  const auto after = json::parse(nlb("--json key status").out);
  EXPECT_EQ(after["matches"], false);
  EXPECT_EQ(after["file"], key);
}

}  // namespace
}  // namespace nlb
