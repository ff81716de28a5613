// SPDX-License-Identifier: Apache-2.0
// Client and server of the control socket against each other, and the server against peers that misbehave.
#include "control/control_socket.hh"

#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "control/control.hh"
#include "control/control_message.hh"
#include "control/visitors.hh"

namespace nlb {
namespace {

using nlohmann::json;

class RawPeer {
 public:
  explicit RawPeer(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawPeer() { ::close(fd_); }
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;
  void send(const std::string& text) const {
    EXPECT_GE(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL), 0);
  }
  [[nodiscard]] std::string line() const {
    std::string text;
    for (char c = 0; ::recv(fd_, &c, 1, 0) == 1 && c != '\n';) text += c;
    return text;
  }
  bool connected_ = false;

 private:
  int fd_;
};

class ControlSocket : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/nlb-ctl-XXXXXX";  // short: a socket's path has 107 bytes
    root_ = ::mkdtemp(name.data());
    path_ = root_ + "/web/control.sock";
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  [[nodiscard]] static json echo(const json& request, const Peer& peer) {
    return {{"schema", 1},
            {"got", request},
            {"may_change", peer.may(Role::operate)},
            {"role", name_of(peer.role)}};
  }
  [[nodiscard]] mode_t mode_of(const std::string& path) const {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_mode & 07777;
  }
  std::string root_, path_;
};

TEST_F(ControlSocket, CarriesRequestsAndAnswers) {
  const mode_t before = ::umask(0);
  auto server = ControlServer::listen(path_, echo);
  ::umask(before);
  ASSERT_TRUE(server.has_value()) << server.error().message;
  EXPECT_EQ(mode_of(path_), 0660u);
  EXPECT_EQ(mode_of(root_ + "/web"), 0750u);
  const auto answer = ask(path_, {{"command", "query"}, {"text", "grüße\n"}});
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ((*answer)["got"]["text"], "grüße\n");
  EXPECT_EQ((*answer)["may_change"], true) << "the same user as the daemon";
  const RawPeer peer(path_);
  peer.send("{\"n\":1}\n{\"n\":2}\n");
  EXPECT_EQ(json::parse(peer.line())["got"]["n"], 1);
  EXPECT_EQ(json::parse(peer.line())["got"]["n"], 2) << "several requests a connection, in order";
  server->reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ControlSocket, LetsOtherUsersAskOnly) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  auto server = ControlServer::listen(path_, echo);
  ASSERT_TRUE(server.has_value());
  for (const auto& path : {root_, root_ + "/web"}) ::chmod(path.c_str(), 0755);
  ::chmod(path_.c_str(), 0666);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setresuid(65534, 65534, 65534) != 0) ::_exit(2);
    const RawPeer peer(path_);
    peer.send("{\"command\":\"stop\"}\n");
    ::_exit(peer.line().find("\"may_change\":false") != std::string::npos ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// As another user, in a child: what it ends with.
template <typename Body>
int as_user(uid_t user, gid_t group, const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgroups(1, &group) != 0 || ::setresgid(group, group, group) != 0 ||
        ::setresuid(user, user, user) != 0)
      ::_exit(255);
    ::_exit(body());
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class ControlSocketOfAll : public ControlSocket {
 protected:
  void SetUp() override {
    ControlSocket::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  }
  void listen(Roles roles = {}) {
    auto made = ControlServer::listen(path_, echo, std::move(roles));
    ASSERT_TRUE(made.has_value());
    server_ = std::move(*made);
    for (const auto& path : {root_, root_ + "/web"}) ::chmod(path.c_str(), 0755);
    ::chmod(path_.c_str(), 0666);
  }
  [[nodiscard]] int role_of(uid_t user, gid_t group) const {
    return as_user(user, group, [&] {
      const RawPeer peer(path_);
      peer.send("{\"command\":\"x\"}\n");
      const auto role = json::parse(peer.line())["role"].get<std::string>();
      return static_cast<int>(role == "admin" ? Role::admin : role == "operate" ? Role::operate : Role::read);
    });
  }
  std::unique_ptr<ControlServer> server_;
};

TEST_F(ControlSocketOfAll, GivesRolesByUserAndGroup) {
  const auto roles = Roles::of({"daemon", "@games"}, {"mail"});
  ASSERT_TRUE(roles.has_value()) << roles.error().message;
  listen(*roles);
  const uid_t daemon = ::getpwnam("daemon")->pw_uid, mail = ::getpwnam("mail")->pw_uid;
  const gid_t games = ::getgrnam("games")->gr_gid;
  EXPECT_EQ(role_of(65534, 65534), static_cast<int>(Role::read));
  EXPECT_EQ(role_of(daemon, 65534), static_cast<int>(Role::operate));
  EXPECT_EQ(role_of(65534, games), static_cast<int>(Role::operate));
  EXPECT_EQ(role_of(mail, 65534), static_cast<int>(Role::admin));
  EXPECT_EQ(role_of(0, 0), static_cast<int>(Role::admin));
}

TEST_F(ControlSocketOfAll, KeepsRoomForAdminsWhateverOthersHold) {
  listen();
  const int turned_away = as_user(65534, 65534, [&] {
    std::vector<std::unique_ptr<RawPeer>> idle;
    for (int i = 0; i < 200; ++i) idle.push_back(std::make_unique<RawPeer>(path_));
    int refused = 0;
    for (std::size_t i = kMaxSessionsOfUser; i < idle.size(); ++i)
      refused += idle[i]->line().find("too many connections") != std::string::npos ? 1 : 0;
    return refused;
  });
  EXPECT_EQ(turned_away, 200 - static_cast<int>(kMaxSessionsOfUser));
}

TEST_F(ControlSocketOfAll, BoundsTheRequestsOfAUserAndServesTheAdmin) {
  listen();
  const int answered = as_user(65534, 65534, [&] {
    int count = 0;
    for (int i = 0; i < 200; ++i) {
      const RawPeer peer(path_);
      peer.send("{\"command\":\"x\"}\n");
      count += peer.line().find("\"got\"") != std::string::npos ? 1 : 0;
    }
    return count;
  });
  EXPECT_GE(answered, static_cast<int>(kRequestsAtOnce));
  EXPECT_LT(answered, 180) << "50 a second after the first 100";
  for (int i = 0; i < 300; ++i) EXPECT_TRUE(ask(path_, {{"command", "x"}}).has_value());
}

TEST(ControlRoles, AnUnknownNameIsNamed) {
  const auto roles = Roles::of({"no-such-user"}, {});
  ASSERT_FALSE(roles.has_value());
  EXPECT_NE(roles.error().message.find("no-such-user"), std::string::npos);
  EXPECT_FALSE(Roles::of({}, {"@no-such-group"}).has_value());
}

TEST_F(ControlSocket, RefusesTheSecondDaemonAndReplacesAStaleSocket) {
  auto first = ControlServer::listen(path_, echo);
  ASSERT_TRUE(first.has_value());
  auto second = ControlServer::listen(path_, echo);
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().message.find("another daemon"), std::string::npos);
  EXPECT_TRUE(ask(path_, {{"command", "x"}}).has_value()) << "the first one is untouched";
  first->reset();

  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);  // a daemon that crashed leaves its socket
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
  EXPECT_EQ(probe_socket(path_), SocketState::stale);
  EXPECT_EQ(ask(path_, {{"command", "x"}}).error().code, 3);
  auto third = ControlServer::listen(path_, echo);
  ASSERT_TRUE(third.has_value()) << third.error().message;
  EXPECT_TRUE(ask(path_, {{"command", "x"}}).has_value());
}

TEST_F(ControlSocket, RefusesALiveSocketWithoutALock) {
  std::filesystem::create_directories(root_ + "/web");
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(fd, 1), 0);
  EXPECT_FALSE(ControlServer::listen(path_, echo).has_value());
  const auto silent = ask(path_, {{"command", "x"}}, 100);
  ASSERT_FALSE(silent.has_value());
  EXPECT_EQ(silent.error().code, 3);
  EXPECT_NE(silent.error().message.find("did not answer within 100 ms"), std::string::npos);
  ::close(fd);
}

TEST_F(ControlSocket, LeavesOtherFilesAlone) {
  std::filesystem::create_directories(root_ + "/web");
  std::ofstream(path_) << "precious";
  const auto server = ControlServer::listen(path_, echo);
  ASSERT_FALSE(server.has_value());
  EXPECT_NE(server.error().message.find("is no socket"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(ControlSocket, PassesTheDaemonsErrorsOn) {
  auto server = ControlServer::listen(path_, [](const json& request, const Peer&) -> json {
    if (request["command"] == "throw") throw std::runtime_error("boom");
    if (request["command"] == "type") return {{"n", request.at("n").get<int>()}};
    return {{"schema", 1}, {"error", {{"message", "not permitted"}, {"exit", 4}}}};
  });
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ(ask(path_, {{"command", "stop"}}).error().code, 4);
  EXPECT_EQ(ask(path_, {{"command", "throw"}}).error().message, "internal error: boom");
  const auto wrong_type = ask(path_, {{"command", "type"}, {"n", "x"}});
  EXPECT_EQ(wrong_type.error().code, 2);
  EXPECT_EQ(ask(path_, {{"command", "stop"}}).error().code, 4) << "and it still serves";
}

TEST_F(ControlSocket, SurvivesPeersThatMisbehave) {
  auto server = ControlServer::listen(path_, echo);
  ASSERT_TRUE(server.has_value());
  const RawPeer garbage(path_);
  garbage.send("hello\n");
  EXPECT_NE(garbage.line().find("not a JSON object"), std::string::npos);
  const RawPeer array(path_);
  array.send("[1]\n");
  EXPECT_NE(array.line().find("not a JSON object"), std::string::npos);
  const RawPeer endless(path_);
  endless.send(std::string(kMaxRequestBytes, 'x'));
  EXPECT_NE(endless.line().find("longer than 64 KiB"), std::string::npos);
  EXPECT_EQ(endless.line(), "") << "and closed";
  {
    const RawPeer vanishing(path_);
    vanishing.send("{\"command\":\"x\"}\n");
  }
  EXPECT_TRUE(ask(path_, {{"command", "x"}}).has_value());
}

TEST_F(ControlSocket, ClosesASilentPeer) {
  auto server = ControlServer::listen(path_, echo);
  ASSERT_TRUE(server.has_value());
  const RawPeer silent(path_);
  silent.send("{\"comm");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(silent.line(), "");
  const auto waited = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(waited, std::chrono::milliseconds(kRequestTimeoutMs - 100));
  EXPECT_LT(waited, std::chrono::milliseconds(kRequestTimeoutMs + 3000));
}

TEST_F(ControlSocket, ServesMorePeersThanItHoldsAtOnce) {
  auto server = ControlServer::listen(path_, echo);
  ASSERT_TRUE(server.has_value());
  std::atomic<int> answered{0};
  std::vector<std::thread> peers;
  for (int i = 0; i < 100; ++i)
    peers.emplace_back([&] {
      if (ask(path_, {{"command", "x"}})) ++answered;
    });
  for (auto& peer : peers) peer.join();
  EXPECT_EQ(answered, 100);
  std::vector<std::unique_ptr<RawPeer>> idle;
  for (int i = 0; i < 70; ++i) idle.push_back(std::make_unique<RawPeer>(path_));
  server->reset();  // with sessions open and the limit reached: must neither hang nor crash
}

TEST_F(ControlSocket, IsFoundByNameOrWhenItIsTheOnlyOne) {
  EXPECT_EQ(find_socket("", root_).error().code, 3);
  EXPECT_EQ(find_socket("web", root_).error().code, 3);
  EXPECT_EQ(find_socket("../x", root_).error().code, 2);
  auto web = ControlServer::listen(path_, echo);
  auto guard = ControlServer::listen(root_ + "/vmswitch/control.sock", echo);
  EXPECT_EQ(find_socket("", root_).value(), path_) << "nlb-vmswitch is no cluster";
  EXPECT_EQ(find_socket("web", root_).value(), path_);
  auto mail = ControlServer::listen(root_ + "/mail/control.sock", echo);
  const auto several = find_socket("", root_);
  ASSERT_FALSE(several.has_value());
  EXPECT_EQ(several.error().code, 2);
  EXPECT_NE(several.error().message.find("mail or web"), std::string::npos);
  EXPECT_EQ(find_socket("mail", root_).value(), root_ + "/mail/control.sock");
  EXPECT_NE(find_socket("ftp", root_).error().message.find("there is mail or web"), std::string::npos);
}

TEST_F(ControlSocket, SaysWhenAPathIsTooLong) {
  const std::string path = root_ + "/" + std::string(120, 'x') + "/control.sock";
  EXPECT_EQ(ControlServer::listen(path, echo).error().code, ENAMETOOLONG);
  EXPECT_EQ(ask(path, {{"command", "x"}}).error().code, 2);
}

TEST(ControlMessage, a_number_that_no_integer_holds_is_refused_before_a_handler_sees_it) {
  const Peer peer{0, 1, Role::admin};
  const ControlServer::Handler take = [](const json& request, const Peer&) -> json {
    return {{"schema", 1}, {"port", request.value("port", 0)}};
  };
  for (const char* number : {"1e20", "-1e20", "18446744073709551184467615", "2147483648.0"}) {
    const auto line = answer_line(std::string("{\"port\":") + number + "}", take, peer);
    EXPECT_EQ(json::parse(line)["error"]["exit"], 2) << line;
  }
  EXPECT_EQ(json::parse(answer_line("{\"port\":80.5}", take, peer))["port"], 80);
}

}  // namespace
}  // namespace nlb
