// SPDX-License-Identifier: Apache-2.0
// The journal's catalog says what the one list of events says, and systemd understands it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "nlbd/event_list.hh"

namespace nlb {
namespace {

constexpr EventId kAll[] = {
#define NLB_EVENT_VALUE(name, number, severity, cause, remedy) EventId::name,
    NLB_EVENTS(NLB_EVENT_VALUE)
#undef NLB_EVENT_VALUE
};

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(EventCatalog, IsMadeOfTheList) {
  if (std::getenv("NLB_WRITE_CATALOG") != nullptr) std::ofstream(NLB_CATALOG_FILE) << catalog_text();
  EXPECT_EQ(text_of(NLB_CATALOG_FILE), catalog_text())
      << "write it anew: NLB_WRITE_CATALOG=1 build/tests/event_catalog_test";
}

TEST(EventCatalog, TheRunbookHasAnEntryForEachEvent) {
  const std::string mark =
      "<!-- events: written by NLB_WRITE_CATALOG=1 build/tests/event_catalog_test -->\n\n";
  const std::string text = text_of(NLB_RUNBOOK_FILE);
  const auto at = text.find(mark);
  ASSERT_NE(at, std::string::npos);
  const std::string own = text.substr(0, at + mark.size());
  if (std::getenv("NLB_WRITE_CATALOG") != nullptr) std::ofstream(NLB_RUNBOOK_FILE) << own << runbook_text();
  EXPECT_EQ(text_of(NLB_RUNBOOK_FILE), own + runbook_text())
      << "write it anew: NLB_WRITE_CATALOG=1 build/tests/event_catalog_test";
}

TEST(EventCatalog, IsUnderstoodBySystemd) {
  if (std::system("command -v journalctl >/dev/null") != 0) GTEST_SKIP() << "journalctl is not installed";
  const auto root = std::filesystem::temp_directory_path() / ("nlb-catalog-" + std::to_string(getpid()));
  const auto source = root / "usr/lib/systemd/catalog";
  std::filesystem::create_directories(source);
  std::filesystem::create_directories(root / "var/lib/systemd/catalog");
  std::filesystem::copy_file(NLB_CATALOG_FILE, source / "opennlb.catalog");
  const std::string journalctl = "journalctl --root=" + root.string();
  ASSERT_EQ(std::system((journalctl + " --update-catalog").c_str()), 0);
  const auto shown = root / "shown";
  ASSERT_EQ(std::system((journalctl + " --dump-catalog >" + shown.string()).c_str()), 0);
  const auto text = text_of(shown);
  for (const EventId id : kAll)
    EXPECT_NE(text.find(message_id_of(kind_of(id).number)), std::string::npos) << kind_of(id).name;
  std::filesystem::remove_all(root);
}

TEST(EventList, NumbersAreUniqueAndMeanWhatWindowsPublished) {
  std::set<int> numbers;
  for (const EventId id : kAll) EXPECT_TRUE(numbers.insert(kind_of(id).number).second) << kind_of(id).name;
  EXPECT_EQ(kind_of(EventId::bind_refused).number, 53);
  EXPECT_EQ(kind_of(EventId::converged).number, 28);
  const std::set published = {5, 6, 17, 20, 23, 24, 28, 29, 36, 39, 44, 53, 68, 69};
  for (const int number : numbers)
    EXPECT_TRUE(number >= 1000 || published.contains(number))
        << number << ": is it published with this meaning? Then add it here";
}

// Rows "| 5, 6 | meaning | 5, 6 |" of the document's table of published numbers.
TEST(EventList, IsWhatTheDocumentSaysOfPublishedNumbers) {
  const auto text = text_of(NLB_PARITY_FILE);
  std::istringstream lines(text.substr(text.find("## Published event numbers")));
  std::set<std::string> known, told;
  for (const EventId id : kAll) known.insert(std::to_string(kind_of(id).number));
  const std::regex number("[0-9]+");
  for (std::string line; std::getline(lines, line);) {
    if (line.size() < 3 || line[0] != '|' || line[2] < '0' || line[2] > '9') continue;
    const auto here = line.substr(line.rfind('|', line.size() - 2));
    for (std::sregex_iterator found(here.begin(), here.end(), number), end; found != end; ++found)
      if (here.find("exit code " + found->str()) == std::string::npos) told.insert(found->str());
  }
  for (const auto& one : told) EXPECT_TRUE(known.contains(one)) << one << " is no event";
  for (const EventId id : kAll) {
    const auto& kind = kind_of(id);
    EXPECT_TRUE(kind.number >= 1000 || told.contains(std::to_string(kind.number)))
        << kind.name << " is not told";
  }
}

TEST(EventList, WhatIsWrongHasARemedy) {
  for (const EventId id : kAll) {
    EXPECT_STRNE(kind_of(id).cause, "") << kind_of(id).name;
    if (kind_of(id).severity == Severity::info) continue;
    EXPECT_STRNE(kind_of(id).remedy, "") << kind_of(id).name;
  }
}

TEST(EventList, MessageIdsAreThoseOfJournald) {
  EXPECT_EQ(message_id_of(53).size(), 32u);
  EXPECT_TRUE(message_id_of(53).ends_with("0035"));
}

}  // namespace
}  // namespace nlb
