// SPDX-License-Identifier: Apache-2.0
// Exports that are damaged, incomplete or contradictory: the line and the reason, and nothing else.
#include <gtest/gtest.h>

#include "import/import.hh"

namespace {

using namespace nlb::import;

std::string problems_of(const std::vector<SourceFile>& files, const Options& options = {}) {
  const auto hosts = import_cluster(files, options);
  return hosts ? "none" : nlb::text_of(hosts.error());
}
std::string problems_of(const std::string& bytes) {
  return problems_of({{"x", bytes}});
}

const std::string kCluster = "Name : web\nIPAddress : 10.0.0.5\nSubnetMask : 255.0.0.0\nMode : Unicast\n\n";
const std::string kNode = "Name : a\nHostPriority : 1\nInterfaceName : e\n\n";
const std::string kRule =
    "NodeName : a\nStartPort : 80\nEndPort : 80\nProtocol : Tcp\nFilteringMode : Multiple\n"
    "Affinity : Single\nEqualLoad : True\nTimeout : 0\n";

std::string with(std::string text, const std::string& old, const std::string& fresh) {
  const auto at = text.find(old);
  EXPECT_NE(at, std::string::npos) << old;
  return text.replace(at, old.size(), fresh);
}

TEST(ImportProblems, NoneInWhatTheOthersAreMadeOf) {
  EXPECT_EQ(problems_of(kCluster + kNode + kRule), "none");
}

TEST(ImportProblems, Encodings) {
  EXPECT_EQ(problems_of(""), "x: is empty");
  EXPECT_EQ(problems_of("\xFF\xFE"), "x: is empty");
  EXPECT_EQ(problems_of("Name : a\nMode : \xE4\n"),
            "x:2: is not UTF-8; allowed: UTF-8, or UTF-16 with its mark");
  EXPECT_EQ(problems_of(std::string("\xFF\xFEN\0a", 5)), "x: ends within a character; the file was cut off");
  EXPECT_EQ(problems_of(std::string("\xFF\xFE\n\0\0\xD8\n\0", 8)),
            "x:2: is not UTF-16LE; allowed: UTF-8, or UTF-16 with its mark");
  EXPECT_EQ(problems_of(std::string("N\0a\0", 4)),
            "x: holds zero bytes; allowed: text, in UTF-8, or in UTF-16 with its mark");
}

TEST(ImportProblems, Json) {
  EXPECT_EQ(
      problems_of("{\n  \"Name\": \"web\",\n  \"Mode\": }\n"),
      "x:3: is not JSON: syntax error while parsing value - unexpected '}'; expected '[', '{', or a literal");
  EXPECT_NE(problems_of("[\n{ \"Name\": \"we").find("x:2: is not JSON: "), std::string::npos);
  EXPECT_EQ(problems_of("{}\n\nName : a"), "x:3: is not JSON: text behind a document");
  EXPECT_EQ(problems_of(std::string(40, '[')), "x:1: is nested deeper than 32 levels");
  EXPECT_NE(problems_of("[{\"a\": 1}]").find("x: holds no object of Windows NLB; allowed: "),
            std::string::npos);
}

TEST(ImportProblems, List) {
  EXPECT_EQ(problems_of("\nName      IPAddress\n----      ---------\n"),
            "x:2: \"Name      IPAddress\" is no \"Property : value\"; a table (Format-Table) is not read, "
            "because it "
            "cuts values off: export with | Format-List * or | ConvertTo-Json");
  EXPECT_EQ(problems_of(with(kCluster, "10.0.0.5", "10.0...") + kNode + kRule),
            "x:2: IPAddress is \"10.0...\", which was cut off; export with | ConvertTo-Json, or set "
            "$FormatEnumerationLimit = -1 before | Format-List *\nx: says no cluster IP address; add what "
            "Get-NlbCluster gives");
}

TEST(ImportProblems, Xml) {
  EXPECT_EQ(problems_of("<unattend>\n<Clusters>\n</unattend>\n"),
            "x:3: is not XML: </unattend> closes <Clusters> of line 2");
  EXPECT_EQ(problems_of("<unattend></unattend>").substr(0, 37), "x: holds no object of Windows NLB; al");
  EXPECT_EQ(problems_of("<unattend>\n<Clusters a=\n"), "x:3: is not XML: expected ' or \"");
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "<a>";
  EXPECT_EQ(problems_of(deep), "x:1: is nested too deep for an unattend file");
  EXPECT_EQ(
      problems_of(
          "<Clusters>\n<!-- <b>\n -->\n<Cluster a='>'>\n<ClusterName>w</ClusterName>\n"
          "<HostIdentifier>99</HostIdentifier>\n<ClusterIpAddress>10.0.0.5</ClusterIpAddress>\n"
          "<Portrules><Portrule>\n<StartPort>80</StartPort></Portrule></Portrules></Cluster></Clusters>"),
      "x:6: HostIdentifier is \"99\"; allowed: a number 1..32\n"
      "x:8: port rule without EndPort\nx: says nothing of the hosts; add what Get-NlbClusterNode gives");
}

TEST(ImportProblems, Values) {
  const auto of_rule = [](const std::string& old, const std::string& fresh) {
    return problems_of(kCluster + kNode + with(kRule, old, fresh));
  };
  EXPECT_EQ(of_rule("StartPort : 80", "StartPort : 65536"),
            "x:11: StartPort is \"65536\"; allowed: a number 0..65535");
  EXPECT_EQ(of_rule("StartPort : 80", "StartPort : 81"), "x:11: StartPort 81 is behind EndPort 80");
  EXPECT_EQ(of_rule("EndPort : 80\n", ""), "x:10: port rule without EndPort");
  EXPECT_EQ(
      of_rule("Multiple", "Several"),
      "x:14: FilteringMode is \"Several\"; allowed: Single, Multiple, Disabled, SingleHost, MultipleHost");
  EXPECT_EQ(of_rule("Tcp", "Sctp"), "x:13: Protocol is \"Sctp\"; allowed: TCP, UDP, Both");
  EXPECT_EQ(of_rule("Timeout : 0", "Timeout : 241"), "x:17: Timeout is \"241\"; allowed: a number 0..240");
  EXPECT_EQ(of_rule("EqualLoad : True", "EqualLoad : False"),
            "x:10: port rule with EqualLoad False and without LoadWeight");
  EXPECT_EQ(of_rule("EqualLoad : True", "LoadWeight : 101"),
            "x:16: LoadWeight is \"101\"; allowed: a number 0..100");
  EXPECT_EQ(of_rule("NodeName : a", "NodeName : a\nVirtualIPAddress : web"),
            "x:11: VirtualIPAddress is \"web\"; allowed: an IP address");
  EXPECT_EQ(problems_of(with(kCluster, "255.0.0.0", "255.0.255.0") + kNode + kRule),
            "x:3: SubnetMask is \"255.0.255.0\"; allowed: a network mask as 255.255.255.0");
  EXPECT_EQ(
      problems_of(
          "[{\"Name\":\"w\",\"IPAddress\":\"10.0.0.5\",\n\"Mode\":0},{\"Name\":\"a\",\"HostPriority\":1}]"),
      "x:2: Mode is \"0\"; allowed: Unicast, Multicast, IGMPMulticast, IGMP (the word; | Format-List * "
      "gives it)");
  EXPECT_EQ(problems_of(with(kCluster, "10.0.0.5", "224.0.0.5") + kNode + kRule),
            "x: cluster IP address 224.0.0.5 (x:2) is a multicast address; allowed: a unicast address of the "
            "interface's network");
}

TEST(ImportProblems, Contradictions) {
  EXPECT_EQ(problems_of(kCluster + with(kCluster, "10.0.0.5", "10.0.0.6") + kNode + kRule),
            "x:7: IPAddress 10.0.0.6 differs from what x:2 says");
  EXPECT_EQ(problems_of(kCluster + kNode + with(kNode, "Name : a", "Name : b") + kRule),
            "x:10: host priority 1 is that of x:6, too; allowed: another on every host");
  EXPECT_EQ(problems_of(kCluster + kNode + kRule + "\n" + with(kRule, "EqualLoad : True", "LoadWeight : 7")),
            "x:19: port rule all:80 tcp differs from what x:10 says");
  EXPECT_EQ(problems_of(kCluster + kNode + kRule + "\n" + with(kRule, "StartPort : 80", "StartPort : 79")),
            "web.host1.toml: would be refused by nlbd: port rule all:79-80 tcp overlaps all:80 tcp of line "
            "18; allowed: one rule for each VIP, port and protocol");
}

TEST(ImportProblems, WhatIsMissing) {
  EXPECT_EQ(problems_of(kCluster), "x: says nothing of the hosts; add what Get-NlbClusterNode gives");
  EXPECT_EQ(problems_of(kNode + kRule),
            "x: says no cluster name; give one with --name\nx: says no cluster IP address; "
            "add what Get-NlbCluster gives");
  EXPECT_EQ(
      problems_of(kCluster + kNode + with(kNode, "a\nHostPriority : 1", "b\nHostPriority : 2") + kRule),
      "x:10: host 2 has no port rule in what was read, others have; export them with Get-NlbClusterNode | "
      "Get-NlbClusterPortRule");
  EXPECT_EQ(problems_of(kCluster + kNode + with(kRule, "NodeName : a", "NodeName : z")),
            "x:10: port rule of node \"z\", of which nothing was read; add what Get-NlbClusterNode gives");
  EXPECT_EQ(problems_of({{"x", kCluster + kNode + kRule}}, {"", {}, "", {{"c", "eth0"}}}),
            "--interface c=eth0: no host of this name or id was read");
}

}  // namespace
