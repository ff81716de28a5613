// SPDX-License-Identifier: Apache-2.0
// What journald would receive: a socket in its place, in a mount namespace of the test's own, takes the
// datagram as the journal's native protocol describes it (NAME=value lines; a value with line breaks is
// preceded by its length).
#include "nlbd/event_journal.hh"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "nlbd/event_log.hh"

namespace nlb {
namespace {

class EventJournalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0) GTEST_SKIP() << "needs root for a mount namespace";
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(mount("tmpfs", "/run", "tmpfs", 0, nullptr), 0);
  }
  void listen() {
    std::filesystem::create_directories("/run/systemd/journal");
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, "/run/systemd/journal/socket");
    ASSERT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << std::strerror(errno);
  }
  std::string received() {
    char buffer[65536];
    const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
    return got < 0 ? std::string("nothing: ") + std::strerror(errno)
                   : "\n" + std::string(buffer, static_cast<std::size_t>(got));
  }
  void TearDown() override {
    if (fd_ >= 0) close(fd_);
  }
  int fd_ = -1;
};

TEST_F(EventJournalTest, AnEventCarriesItsFields) {
  listen();
  set_event_place({"web", 3, ""});
  EventLog log;
  log.add(EventId::bind_refused, "eth0: refused", {{"reason", "tx-filtered"}, {"remedy", "tick the box"}});
  log.write_lines();
  const auto entry = received();
  for (const std::string& field : std::vector<std::string>{
           "MESSAGE=53 bind_refused: eth0: refused", std::string("MESSAGE_ID=") + message_id_of(53),
           "PRIORITY=3", "SYSLOG_IDENTIFIER=nlbd", "NLB_EVENT_NUMBER=53", "NLB_EVENT_NAME=bind_refused",
           "CLUSTER=web", "HOST=3", "NLB_REASON=tx-filtered", "NLB_REMEDY=tick the box"})
    EXPECT_NE(entry.find("\n" + field + "\n"), std::string::npos) << field << " in " << entry;
}

TEST_F(EventJournalTest, WithoutAJournalNothingIsClaimed) {
  EXPECT_FALSE(send_to_journal(kind_of(EventId::started), {{"text", "x"}}, "web", 1));
}

TEST_F(EventJournalTest, AJournalThatIsGoneIsNoEnd) {
  listen();
  close(fd_);
  fd_ = -1;
  EXPECT_FALSE(send_to_journal(kind_of(EventId::started), {{"text", "x"}}, "web", 1));
}

TEST_F(EventJournalTest, StderrCountsAsJournalOnlyWhereItIs) {
  unsetenv("JOURNAL_STREAM");
  EXPECT_FALSE(stderr_is_journal());
  setenv("JOURNAL_STREAM", "1:1", 1);
  EXPECT_FALSE(stderr_is_journal());
  struct stat status {};
  ASSERT_EQ(fstat(STDERR_FILENO, &status), 0);
  setenv("JOURNAL_STREAM", (std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino)).c_str(), 1);
  EXPECT_TRUE(stderr_is_journal());
}

}  // namespace
}  // namespace nlb
