// SPDX-License-Identifier: Apache-2.0
// The event log over restarts, crashes and full files: a follower sees every event once, and the files stay
// within their bound.
#include "nlbd/event_log.hh"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "nlbd/event_file.hh"

namespace nlb {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class EventLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    spdlog::set_level(spdlog::level::off);
    fs::create_directories(directory_);
    set_event_place({"web", 3, directory_});
    restart();
  }
  void TearDown() override { fs::remove_all(directory_); }
  void restart() {
    log_.reset();
    log_ = std::make_unique<EventLog>();
  }
  void happen(const std::string& text, bool written = true) {
    log_->add(EventId::state_changed, text);
    if (written) log_->write_lines();
  }
  // As `nlb events --follow` asks.
  std::vector<std::string> follow() {
    std::vector<std::string> texts;
    auto answer = log_->since(followed_, after_, !followed_.empty(), 100);
    followed_ = answer["log"];
    after_ = answer["last"];
    EXPECT_EQ(answer["lost"], 0);
    for (const auto& event : answer["events"]) texts.push_back(event["text"]);
    return texts;
  }
  std::vector<std::string> newest(uint64_t limit) {
    std::vector<std::string> texts;
    const auto answer = log_->since("", 0, false, limit);
    for (const auto& event : answer["events"]) texts.push_back(event["text"]);
    return texts;
  }
  using Texts = std::vector<std::string>;

  std::string directory_ = fs::temp_directory_path() / ("nlb-events-" + std::to_string(getpid()));
  std::string file_ = directory_ + "/events.jsonl";
  std::unique_ptr<EventLog> log_;
  std::string followed_;
  uint64_t after_ = 0;
};

TEST_F(EventLogTest, ARestartShowsWhatWasBefore) {
  happen("one");
  happen("two");
  restart();
  happen("three");
  EXPECT_EQ(newest(100), (Texts{"one", "two", "three"}));
  EXPECT_EQ(newest(2), (Texts{"two", "three"}));
}

TEST_F(EventLogTest, AFollowerSeesEachEventOnceOverARestart) {
  happen("one");
  EXPECT_EQ(follow(), Texts{"one"});
  happen("two");
  restart();
  happen("three");
  EXPECT_EQ(follow(), (Texts{"two", "three"}));
  EXPECT_EQ(follow(), Texts{});
}

TEST_F(EventLogTest, AFollowerMissesNothingAfterACrash) {
  happen("one");
  happen("told, never written", false);
  EXPECT_EQ(follow(), (Texts{"one", "told, never written"}));
  restart();
  happen("after the crash");
  EXPECT_EQ(follow(), Texts{"after the crash"});
}

TEST_F(EventLogTest, ALineThatACrashCutOffHurtsNothing) {
  happen("one");
  std::ofstream(file_, std::ios::app) << R"({"time":"2026-01-31T12:0)";
  restart();
  happen("two");
  restart();
  EXPECT_EQ(newest(100), (Texts{"one", "two"}));
}

// The disk is full within a line, full still at the next event, and then has room again.
TEST_F(EventLogTest, WhatComesAfterAFullDiskIsKept) {
  happen("one");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit full{fs::file_size(file_) + 20, before.rlim_max};
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &full), 0);
  happen("cut");
  happen("lost");
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, ignored);
  happen("kept");
  restart();
  EXPECT_EQ(newest(1), Texts{"kept"});
}

TEST_F(EventLogTest, ForeignLinesArePassedOver) {
  std::ofstream(file_) << "[]\n17\n{\"log\":5,\"sequence\":1}\n{\"log\":\"a\",\"sequence\":-1}\nx\n";
  restart();
  EXPECT_EQ(newest(100), Texts{});
}

TEST_F(EventLogTest, TheFilesStayWithinTheirBound) {
  const std::string text(2000, 'x');
  for (int i = 0; i < 1500; ++i) happen(text + std::to_string(i));  // three times the bound
  EXPECT_LE(fs::file_size(file_), kMaxEventFileBytes);
  EXPECT_LE(fs::file_size(file_ + ".1"), kMaxEventFileBytes);
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory_)) files.insert(entry.path().filename());
  EXPECT_EQ(files, (std::set<fs::path>{"events.jsonl", "events.jsonl.1"}));
  restart();
  EXPECT_EQ(newest(1), Texts{text + "1499"});
  EXPECT_EQ(newest(400).front(), text + "1100") << "the older file is read back, too";
}

TEST_F(EventLogTest, ADirectoryThatCannotBeWrittenIsNoEnd) {
  set_event_place({"web", 3, directory_ + "/missing"});
  restart();
  happen("one");
  EXPECT_EQ(newest(100), Texts{"one"});
}

TEST_F(EventLogTest, TheFileHasTheShapeOfTheContract) {
  log_->add(EventId::bind_refused, "eth0: refused", {{"reason", "tx-filtered"}, {"remedy", "tick the box"}});
  log_->write_lines();
  std::ifstream stream(file_);
  std::string line;
  std::getline(stream, line);
  const auto event = json::parse(line);
  EXPECT_EQ(event["number"], 53);
  EXPECT_EQ(event["name"], "bind_refused");
  EXPECT_EQ(event["severity"], "error");
  EXPECT_EQ(event["text"], "eth0: refused");
  EXPECT_EQ(event["remedy"], "tick the box") << "the platform's own words come before the list's";
  EXPECT_EQ(event["fields"], (json{{"reason", "tx-filtered"}}));
  EXPECT_TRUE(event["time"].get<std::string>().ends_with("Z"));
}

TEST_F(EventLogTest, TheListsRemedyIsTakenWhereThereIsNoOther) {
  log_->add(EventId::carrier_lost, "eth0");
  EXPECT_EQ(log_->since("", 0, false, 1)["events"][0]["remedy"], kind_of(EventId::carrier_lost).remedy);
}

}  // namespace
}  // namespace nlb
