// SPDX-License-Identifier: Apache-2.0
// Each sample of samples/ (made from the documented shapes of Microsoft's tools) and the files that come of
// it, in expected/. NLB_WRITE_IMPORTS=1 writes these anew, to be read before they are committed.
#include "import/import.hh"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "control/config_file.hh"

namespace {

using namespace nlb::import;
namespace fs = std::filesystem;

struct Sample {
  const char* name;
  std::vector<const char*> files;
  Options options;
  std::size_t hosts;
};

const Sample kSamples[] = {
    {"json_three_hosts",
     {"cluster.json", "nodes.json", "rules.json", "vips.json", "dips.json"},
     {"", {}, "eth0", {}},
     3},
    {"json_one_document", {"everything.json"}, {"", {}, "", {{"web1", "ens3"}, {"2", "ens4"}}}, 2},
    {"json_numbers", {"enumerations.json"}, {"", nlb::ClusterMode::igmp, "eth0", {}}, 1},
    {"json_appended", {"appended.json"}, {"", {}, "eth0", {}}, 1},
    {"list_utf16", {"powershell5.txt"}, {"", {}, "eth0", {}}, 2},
    {"list_transcript", {"transcript.txt"}, {"", {}, "", {}}, 1},
    {"list_driver", {"driver.txt"}, {"farm", nlb::ClusterMode::unicast, "eth1", {}}, 1},
    {"list_modes", {"modes.txt"}, {"", {}, "eth0", {}}, 2},
    {"list_without_rules", {"bare.txt"}, {"", {}, "eth0", {}}, 1},
    {"list_two_clusters", {"two-clusters.txt"}, {"", {}, "eth0", {}}, 2},
    {"unattend", {"unattend.xml"}, {"web", {}, "eth0", {}}, 1},
    {"unattend_two_hosts", {"host1.xml", "host2.xml"}, {"", {}, "eth0", {}}, 2},
    {"unattend_utf16", {"utf16.xml"}, {"", {}, "eth0", {}}, 1},
    {"mixed", {"cluster.json", "nodes-list.txt", "cluster-rules.txt"}, {"", {}, "eth0", {}}, 3},
};

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class ImportTest : public testing::TestWithParam<Sample> {};

TEST_P(ImportTest, gives_the_expected_configurations) {
  const fs::path tree = NLB_IMPORT_SAMPLES;
  std::vector<SourceFile> files;
  for (const char* name : GetParam().files) files.push_back({name, content_of(tree / "samples" / name)});
  const auto hosts = import_cluster(files, GetParam().options);
  ASSERT_TRUE(hosts) << nlb::text_of(hosts.error());
  EXPECT_EQ(hosts->size(), GetParam().hosts);
  for (const auto& host : *hosts) {
    const fs::path expected = tree / "expected" / GetParam().name / host.file_name;
    if (std::getenv("NLB_WRITE_IMPORTS") != nullptr) {
      fs::create_directories(expected.parent_path());
      std::ofstream(expected) << host.text;
    }
    EXPECT_EQ(host.text, content_of(expected)) << expected;
    const auto parsed = nlb::parse_config(host.text, host.file_name);
    ASSERT_TRUE(parsed) << nlb::text_of(parsed.error());
    EXPECT_EQ(parsed->config.id, host.id);
    for (const auto& note : host.notes) EXPECT_NE(host.text.find(note.text), std::string::npos) << note.text;
  }
}

INSTANTIATE_TEST_SUITE_P(Samples, ImportTest, testing::ValuesIn(kSamples),
                         [](const auto& sample) { return std::string(sample.param.name); });

// Whatever becomes of the samples, none lies there unread.
TEST(ImportSamples, AreAllUsed) {
  for (const auto& entry : fs::directory_iterator(fs::path(NLB_IMPORT_SAMPLES) / "samples")) {
    bool used = false;
    for (const Sample& sample : kSamples)
      for (const char* name : sample.files) used = used || entry.path().filename() == name;
    EXPECT_TRUE(used) << entry.path();
  }
}

}  // namespace
