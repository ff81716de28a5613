// SPDX-License-Identifier: Apache-2.0
// Answers in, text out. The texts are compared whole, so that a change of wording is seen.
#include "nlb/render.hh"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "nlb/json_field.hh"

namespace nlb {
namespace {

using nlohmann::json;

const Style kPlain{};

const json kQuery = json::parse(
    R"({"schema":1,"cluster":"web","host":2,"state":"converged","default":true,"view":17,"members":[
  {"id":2,"name":"web2","state":"converged","default":true,"dedicated_ip":"10.77.0.12","last_heard_ms":0},
  {"id":10,"name":"","state":"draining","default":false,"dedicated_ip":"","last_heard_ms":1234}]})");

TEST(RenderQuery, FollowsNlbExe) {
  EXPECT_EQ(render_query(kQuery, kPlain),
            "Cluster web\n"
            "Host 2 converged as DEFAULT with the following host(s) as part of the cluster:\n"
            "  ID  State                Name  Dedicated IP  Last heard\n"
            "  2   converged (default)  web2  10.77.0.12    this host\n"
            "  10  draining                                 1.2 s ago\n");
}

const json kSick = json::parse(
    R"({"cluster":"web","host":1,"state":"converged","default":true,"members":[
  {"id":1,"name":"","state":"converged","default":true,"dedicated_ip":"10.77.0.11","last_heard_ms":0,
   "in_service":true,"unhealthy":["all:80 tcp","all:443 tcp"]},
  {"id":2,"name":"","state":"converged","default":false,"dedicated_ip":"10.77.0.12","last_heard_ms":7,
   "in_service":false,"unhealthy":["all:80 tcp"]},
  {"id":3,"name":"","state":"converged","default":false,"dedicated_ip":"10.77.0.13","last_heard_ms":7,
   "in_service":true,"unhealthy":[]}],
  "health":[
  {"rule":"all:80 tcp","slot":0,"type":"http","target":"127.0.0.1:80","on_failure":"rule","all_down":"closed",
   "state":"unhealthy","in_a_row":1,"needed":4,"flaps":1,"since_ms":2500,
   "last":{"good":true,"detail":"status 200","took_ms":1,"age_ms":300}},
  {"rule":"all:443 tcp","slot":1,"type":"exec","target":"/bin/check","on_failure":"host","all_down":"open",
   "state":"waiting","in_a_row":0,"needed":1,"flaps":0,"since_ms":0,"last":null}]})");

TEST(RenderQuery, ShowsHealthWhereThereAreChecks) {
  EXPECT_EQ(render_query(kSick, kPlain),
            "Cluster web\n"
            "Host 1 converged as DEFAULT with the following host(s) as part of the cluster:\n"
            "  ID  State                Name  Dedicated IP  Last heard  Health\n"
            "  1   converged (default)        10.77.0.11    this host   out of all:80 tcp, all:443 tcp\n"
            "  2   converged                  10.77.0.12    7 ms ago    out of service\n"
            "  3   converged                  10.77.0.13    7 ms ago    well\n");
  json others = kSick;
  others["health"] = json::array();
  EXPECT_EQ(render_query(others, kPlain), render_query(kSick, kPlain))
      << "a host without checks sees them too";
}

TEST(RenderHealth, SaysWhatWasFoundAndWhatIsMissing) {
  EXPECT_EQ(
      render_health(kSick["health"], kPlain, ""),
      "Rule                      Type  Target        State      For    Until change        Last result\n"
      "all:80 tcp                http  127.0.0.1:80  unhealthy  2.5 s  1 of 4 good, flaps  status 200 "
      "(300 ms ago)\n"
      "all:443 tcp (whole host)  exec  /bin/check    waiting                               the VIP is "
      "not on this host\n");
}

TEST(RenderHosts, ShowsQueryAsOneTable) {
  const json answers = {
      {"cluster", "web"},
      {"answers",
       {{{"host", 2}, {"name", "web2"}, {"answer", kQuery}},
        {{"host", 3}, {"name", ""}, {"answer", {{"error", {{"message", "is not heard"}}}}}}}}};
  EXPECT_EQ(render_hosts(answers, "query", render_query, kPlain),
            "Cluster web\n"
            "  ID  Name  State                View  Members\n"
            "  2   web2  converged (default)  17    2, 10\n"
            "  3         no answer                  is not heard\n");
}

TEST(RenderDrain, CountsDown) {
  const json open = {{"drain", {{"connections", 1}, {"remaining_s", -1}}}},
             limited = {{"drain", {{"connections", 7}, {"remaining_s", 12}}}};
  EXPECT_EQ(render_drain({open}), "Draining: 1 connection is left");
  EXPECT_EQ(render_drain({open, kQuery, limited}), "2 hosts drain: 8 connections are left, at most 12 s");
}

TEST(RenderQuery, HasAWordForEveryState) {
  const auto of = [](const char* state) {
    return render_query({{"cluster", "web"}, {"host", 1}, {"state", state}, {"members", json::array()}},
                        kPlain);
  };
  EXPECT_EQ(of("converging"),
            "Cluster web\nHost 1 converging with the following host(s) as part of the cluster:\n");
  EXPECT_EQ(of("draining"),
            "Cluster web\nHost 1 draining with the following host(s) as part of the cluster:\n");
  EXPECT_EQ(of("stopped"), "Cluster web\nHost 1 is stopped and takes no part in the cluster.\n");
  EXPECT_EQ(of("suspended"), "Cluster web\nHost 1 is suspended; \"nlb resume\" ends that.\n");
  EXPECT_EQ(of("refused"),
            "Cluster web\nHost 1 is refused and takes no part in the cluster; \"nlb display\" says why.\n");
}

TEST(RenderQuery, SaysWhatIsKeptAndUntilWhen) {
  json answer = kQuery;
  const auto without = render_query(answer, kPlain);
  answer["kept"] = json::parse(
      R"([{"slot":0,"rule":"all:80 tcp","host":2,"buckets":1365,"since_s":61,"first_move_s":0,"last_move_s":1138},
    {"slot":0,"rule":"all:80 tcp","host":1,"buckets":7}])");
  EXPECT_EQ(render_query(answer, kPlain),
            without +
                "Kept for returning clients of rule all:80 tcp: 1365 buckets by this host, for 1 min 1 s so "
                "far. If nobody returns, the first moves in 0 ms, the last in 18 min 58 s.\n"
                "Kept for returning clients of rule all:80 tcp: 7 buckets by host 1.\n");
}

TEST(RenderQuery, ColoursOnlyWhenAsked) {
  EXPECT_EQ(render_query(kQuery, kPlain).find('\x1b'), std::string::npos);
  const auto coloured = render_query(kQuery, Style{true});
  EXPECT_NE(coloured.find("\x1b[32mconverged\x1b[0m as DEFAULT"), std::string::npos);
  EXPECT_NE(coloured.find("\x1b[33mdraining\x1b[0m"), std::string::npos);
}

TEST(RenderDisplay, QuotesTheSwitchWhileItIsHeard) {
  json answer = kQuery;
  answer["adapter"] = {{"interface", "eth0"},
                       {"reason", "rx-filtered"},
                       {"switch", {{"text", "port web1 on host kvm7: MAC spoofing off"}, {"age_ms", 1400}}}};
  const auto heard = render_display(answer, kPlain);
  EXPECT_NE(heard.find("\n  Switch policy  port web1 on host kvm7: MAC spoofing off (heard 1.4 s ago)\n"),
            std::string::npos)
      << heard;
  answer["adapter"]["switch"] = nullptr;
  EXPECT_EQ(render_display(answer, kPlain).find("Switch policy"), std::string::npos);
}

TEST(RenderDisplay, MarksAMacOnlyWhenItIsNotWhatItShouldBe) {
  json answer = kQuery;
  answer.update(
      json::parse(R"({"reason_text":"","version":"0.1.0","uptime_s":62,"file":"/etc/opennlb/web.toml",
    "adapter":{"interface":"eth0","driver":"veth","datapath":"xdp-native","mac_permanent":"","mac_current":"52:54:00:00:00:01",
      "mac_expected":"52:54:00:00:00:01","mac_cluster":"02:bf:0a:4d:00:64","mac_masked":"02:02:0a:4d:00:64","cluster_mac_in":"receive-filter",
      "mac_strategy":"add","bind":"bound","reason":"none","evidence":"","remedy":""},
    "vips":[{"address":"10.77.0.100","present":true}],
    "port_rules":[{"slot":0,"vip":"all","ports":"80","protocol":"tcp","mode":"multiple","affinity":"single","weight":"equal","timeout_s":60,"state":"enabled"},
      {"slot":1,"vip":"10.77.0.100","ports":"25","protocol":"both","mode":"single","priority":3,"state":"disabled"}],
    "events":[{"time":"T","number":28,"name":"converged","severity":"info","text":"3 hosts","remedy":""}]})"));
  const auto healthy = render_display(answer, kPlain);
  EXPECT_EQ(healthy.substr(render_query(kQuery, kPlain).size()),
            "\nAdapter\n"
            "  Interface                eth0\n"
            "  Driver                   veth\n"
            "  Datapath                 xdp-native\n"
            "  Bind                     bound\n"
            "  MAC strategy             add\n"
            "  MAC current              52:54:00:00:00:01\n"
            "  MAC of the cluster       02:bf:0a:4d:00:64\n"
            "  MAC masked               02:02:0a:4d:00:64\n"
            "  Cluster MAC comes in by  receive-filter\n"
            "\nVirtual IP addresses\n"
            "  10.77.0.100  present\n"
            "\nPort rules\n"
            "  VIP          Ports  Protocol  Mode      Affinity  Weight  Timeout  Priority  State\n"
            "  all          80     tcp       multiple  single    equal   60 s               enabled\n"
            "  10.77.0.100  25     both      single                               3         disabled\n"
            "\nLast events\n"
            "T  info  28 converged: 3 hosts\n"
            "\nDaemon\n"
            "  Version        0.1.0\n"
            "  Up for         1 min 2 s\n"
            "  Configuration  /etc/opennlb/web.toml\n");
  answer["adapter"]["mac_current"] = "52:54:00:00:00:02";
  answer["adapter"].update({{"bind", "refused"},
                            {"reason", "rx-filtered"},
                            {"evidence", "no proof frame came"},
                            {"remedy", "allow MAC spoofing"}});
  const auto broken = render_display(answer, kPlain);
  EXPECT_NE(broken.find("MAC current              52:54:00:00:00:02  (expected 52:54:00:00:00:01)\n"),
            std::string::npos)
      << broken;
  EXPECT_NE(broken.find("Remedy                   allow MAC spoofing\n"), std::string::npos) << broken;
}

TEST(RenderParams, ShowsWhatIsConfiguredOtherwise) {
  const auto answer = json::parse(R"({"file":"f","pending":["heartbeat.period_ms"],
    "configured":{"heartbeat":{"period_ms":100,"tolerance":10},"host":{"persist":["suspended","stopped"]},"port_rules":[]},
    "in_force":{"heartbeat":{"period_ms":50,"tolerance":10},"host":{"persist":["suspended","stopped"]},"port_rules":[],"key_count":2}})");
  EXPECT_EQ(render_params(answer, kPlain),
            "File: f\n"
            "Parameter            In force            Configured otherwise\n"
            "key_count            2\n"
            "heartbeat.period_ms  50                  100\n"
            "heartbeat.tolerance  10\n"
            "host.persist         suspended, stopped\n"
            "\nPort rules in force\n"
            "  VIP  Ports  Protocol  Mode  Affinity  Weight  Timeout  Priority  State\n"
            "\nNot in force yet: heartbeat.period_ms\n");
}

TEST(RenderQueryport, ShowsWeightsSharesAndPackets) {
  const auto answer =
      json::parse(R"({"rules":[{"rule":"all:80 tcp","state":"draining","share":0.3333,"connections":4,
    "members":[{"id":1,"weight":"equal","share":0.6667,"state":"enabled"},{"id":2,"priority":7,"share":0,"state":"draining"}],
    "packets":{"accepted":10,"dropped":2}}]})");
  EXPECT_EQ(render_queryport(answer, kPlain),
            "Rule all:80 tcp is draining on this host, which has 33.3 % of it.\n"
            "  Host  State     Weight      Share\n"
            "  1     enabled   equal       66.7 %\n"
            "  2     draining  priority 7  0.0 %\n"
            "  Packets: accepted 10, dropped 2\n"
            "  Connections: 4\n");
}

TEST(RenderFilter, NamesTheHost) {
  const auto answer = json::parse(
      R"({"rule":"all:80-443 tcp","bucket":12,"host":3,"verdict":"drop","reason":"host 3 owns the bucket"})");
  EXPECT_EQ(render_filter(answer, kPlain),
            "Rule         all:80-443 tcp\nBucket       12\nAccepted by  host 3\nThis host    drop\nBecause   "
            "   host 3 owns the bucket\n");
  EXPECT_EQ(
      render_filter({{"rule", "r"}, {"bucket", -1}, {"host", 0}, {"verdict", "drop"}, {"reason", "disabled"}},
                    kPlain),
      "Rule         r\nAccepted by  no host\nThis host    drop\nBecause      disabled\n");
}

TEST(RenderRecords, AreLines) {
  EXPECT_EQ(
      render_history(
          json::parse(
              R"({"history":[{"time_ms":1700000000123,"view":17,"members":[1,2],"cause":"host 2 joined","duration_ms":42},
              {"time_ms":1700000000999,"view":18,"members":[1],"cause":"host 2 left","causes":["host 2 left","this host: reload"],"duration_ms":-1}]})"),
          kPlain),
      "Time                         View  Took        Members  Cause\n"
      "2023-11-14 22:13:20.123 UTC  17    42 ms       1, 2     host 2 joined\n"
      "2023-11-14 22:13:20.999 UTC  18    converging  1        host 2 left; this host: reload\n");
  EXPECT_EQ(
      render_connections(
          json::parse(
              R"({"rules":[{"slot":0,"rule":"all:80 tcp","connections":12,"held_buckets":3,"owned_buckets":1365}],"total":12})"),
          kPlain),
      "Slot  Rule        Connections  Held buckets  Owned buckets\n"
      "0     all:80 tcp  12           3             1365\n"
      "Total: 12\n");
  EXPECT_EQ(
      render_counters(
          json::parse(
              R"({"counters":[{"name":"drop_bug","packets":1,"bytes":60,"expected":false},{"name":"pass","packets":0,"bytes":0,"expected":true,"text":"not ours"}],
              "heartbeat":{"sent":5,"received":4,"refused":{"bad_signature":2,"too_short":0}}})"),
          kPlain),
      "Counter   Packets  Bytes  Meaning\n"
      "drop_bug  1        60     should be zero\n"
      "pass      0        0      not ours\n"
      "\nHeartbeats sent         5\nHeartbeats received     4\nRefused: bad_signature  2\n");
  EXPECT_EQ(render_event({{"time", "T"},
                          {"number", 53},
                          {"name", "n"},
                          {"severity", "error"},
                          {"text", "t"},
                          {"remedy", "do it"}},
                         kPlain),
            "T  error  53 n: t\n    Remedy: do it\n");
  EXPECT_EQ(render_action({{"message", "Reloaded."}, {"changed", {"port_rules"}}}, kPlain),
            "Reloaded.\n  changed: port_rules\n");
  EXPECT_EQ(
      render_action(
          json::parse(
              R"({"changed":true,"message":"Drained.","rules":[{"slot":0,"rule":"all:80 tcp","state":"draining"}]})"),
          kPlain),
      "Drained.\n  all:80 tcp: draining\n");
  EXPECT_EQ(
      render_key_status(
          json::parse(R"({"file":"k","fingerprints":["aa","bb"],"in_force":["bb"],"matches":false})"),
          kPlain),
      "File k\n  Key       Fingerprint  In force\n  signs     aa           no\n  accepted  bb           yes\n"
      "The daemon uses other keys than the file; run \"nlb reload\".\n");
}

// A daemon of another version, or another program on the socket: nothing that it sends may crash the tool.
TEST(Render, SurvivesAnswersOfAnotherShape) {
  const json shapes[] = {
      json(),
      json::object(),
      json::array(),
      json("text"),
      json(7),
      json::parse(
          R"({"members":7,"rules":"x","history":[7,null,"x"],"counters":[[]],"adapter":[],"vips":[1],"port_rules":[{}],
                           "events":[null],"in_force":{"a":{"b":[{"c":1}]}},"configured":3,"pending":{},"masked":[1],"fingerprints":[{}],"heartbeat":[],
                           "state":{},"host":"x","changed":{},"share":"x","uptime_s":"x"})"),
      json::parse(
          R"({"members":[1,{"id":"x","last_heard_ms":"y"}],"rules":[1,{"members":[1],"packets":7}],"counters":[1,{"expected":7}],"heartbeat":{"refused":{"a":"b"}}})")};
  using Render = std::string (*)(const json&, const Style&);
  for (const Render render : {&render_query, &render_display, &render_params, &render_queryport,
                              &render_connections, &render_filter, &render_history, &render_counters,
                              &render_event, &render_action, &render_ip2mac, &render_key_status})
    for (const auto& shape : shapes) EXPECT_NO_THROW(static_cast<void>(render(shape, kPlain))) << shape;
}

TEST(Render, StripsControlCharacters) {
  EXPECT_EQ(render_event({{"text", "a\x1b[2Jb"}}, kPlain).find('\x1b'), std::string::npos);
}

TEST(Words, OfDurationsAndShares) {
  EXPECT_EQ(duration_text(999), "999 ms");
  EXPECT_EQ(duration_text(59999), "59.9 s");
  EXPECT_EQ(duration_text(3599000), "59 min 59 s");
  EXPECT_EQ(duration_text(3660000), "1 h 1 min");
  EXPECT_EQ(share_text(1.0), "100.0 %");
}

}  // namespace
}  // namespace nlb
