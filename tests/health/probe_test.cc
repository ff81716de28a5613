// SPDX-License-Identifier: Apache-2.0
// Probes against real sockets and programs: what each finds, in which time, and what a program may not do.
#include "health/probe.hh"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "linux/own_address.hh"

namespace nlb {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using std::chrono::milliseconds;

struct Run {
  Finding finding;
  milliseconds took{};
};

Run run(const HealthCheck& check, const std::vector<std::string>& environment = {}) {
  asio::io_context io;
  std::optional<Finding> found;
  const auto begun = std::chrono::steady_clock::now();
  milliseconds took{};
  make_probe(io, check, environment)->begin([&](const Finding& finding) {
    EXPECT_FALSE(found) << "told twice";
    found = finding;
    took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun);
  });
  io.run();  // ends only when nothing of the run is left
  EXPECT_TRUE(found);
  return {found.value_or(Finding{}), took};
}

// A service in a thread: takes one connection and does with it what the test says.
class Service {
 public:
  using Serve = std::function<void(Tcp::socket&)>;
  explicit Service(Serve serve) : acceptor_(io_, Tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    thread_ = std::thread([this, act = std::move(serve)] {
      boost::system::error_code error;
      Tcp::socket socket(io_);
      acceptor_.accept(socket, error);
      if (!error) act(socket);
    });
  }
  ~Service() { thread_.join(); }
  [[nodiscard]] HealthCheck check(HealthType type) const {
    HealthCheck check;
    check.type = type;
    check.target = "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
    return check;
  }

 private:
  asio::io_context io_;
  Tcp::acceptor acceptor_;
  std::thread thread_;
};

template <typename Stream>
std::string answer(Stream& stream, const std::string& text) {
  asio::streambuf request;
  boost::system::error_code error;
  asio::read_until(stream, request, "\r\n\r\n", error);
  asio::write(stream, asio::buffer(text), error);
  return std::string(asio::buffers_begin(request.data()), asio::buffers_end(request.data()));
}

// Reads until the client is gone.
void wait_for_end(Tcp::socket& socket) {
  boost::system::error_code error;
  std::array<char, 1024> data{};
  while (!error) socket.read_some(asio::buffer(data), error);
}

Finding http_finding(const std::string& text, const std::function<void(HealthCheck&)>& change = {}) {
  Service service([&](Tcp::socket& socket) { answer(socket, text); });
  HealthCheck check = service.check(HealthType::http);
  if (change) change(check);
  return run(check).finding;
}

TEST(TcpProbe, IsGoodWhenAConnectionIsAccepted) {
  Service service([](Tcp::socket& socket) { wait_for_end(socket); });
  EXPECT_TRUE(run(service.check(HealthType::tcp)).finding.good);
}

TEST(TcpProbe, SaysWhyNot) {
  HealthCheck check;
  check.target = "127.0.0.1:1";
  const auto refused = run(check).finding;
  EXPECT_FALSE(refused.good);
  EXPECT_EQ(refused.detail, "Connection refused");
}

TEST(HttpProbe, JudgesTheStatus) {
  EXPECT_TRUE(http_finding("HTTP/1.1 204 No Content\r\n\r\n").good);
  EXPECT_TRUE(http_finding("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n").good);
  const auto unavailable = http_finding("HTTP/1.1 503 Out\r\nContent-Length: 0\r\n\r\n");
  EXPECT_FALSE(unavailable.good);
  EXPECT_EQ(unavailable.detail, "status 503; expected 200-399");
  EXPECT_TRUE(http_finding("HTTP/1.1 503 Out\r\nContent-Length: 0\r\n\r\n", [](HealthCheck& check) {
                check.first_status = check.last_status = 503;
              }).good);
  EXPECT_FALSE(http_finding("SSH-2.0-OpenSSH\r\n\r\n").good);
  EXPECT_FALSE(http_finding("").good) << "closed without an answer";
}

TEST(HttpProbe, LooksForTheTextInTheBody) {
  const auto expect = [](const char* text) {
    return [text](HealthCheck& check) { check.expect_body = text; };
  };
  const std::string head = "HTTP/1.1 200 OK\r\n";
  EXPECT_TRUE(http_finding(head + "Content-Length: 9\r\n\r\nall right", expect("right")).good);
  EXPECT_TRUE(http_finding(head + "\r\nall right", expect("right")).good) << "until the connection's end";
  EXPECT_TRUE(http_finding(head + "Transfer-Encoding: chunked\r\n\r\n3\r\nrig\r\n2\r\nht\r\n0\r\n\r\n",
                           expect("right"))
                  .good);
  EXPECT_FALSE(http_finding(head + "Content-Length: 5\r\n\r\nwrong", expect("right")).good);
  EXPECT_FALSE(http_finding(head + "X-Note: right\r\nContent-Length: 2\r\n\r\nno", expect("right")).good);
  const auto late = http_finding(head + "\r\n" + std::string(65534, '.') + "right", expect("right"));
  EXPECT_FALSE(late.good);
  EXPECT_EQ(late.detail, "status 200, but \"right\" is not in the first 64 KiB of the body");
  EXPECT_FALSE(http_finding(head + "Content-Length: 100\r\n\r\nbreaks off", expect("right")).good);
}

TEST(HttpProbe, AsksForThePathOfTheHost) {
  std::string asked;
  {
    Service service(
        [&](Tcp::socket& socket) { asked = answer(socket, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); });
    HealthCheck check = service.check(HealthType::http);
    check.path = "/ready?deep=1";
    check.host = "shop.example";
    EXPECT_TRUE(run(check).finding.good);
  }
  EXPECT_TRUE(asked.starts_with("GET /ready?deep=1 HTTP/1.1\r\n")) << asked;
  EXPECT_NE(asked.find("Host: shop.example\r\n"), std::string::npos) << asked;
}

TEST(HttpProbe, AServiceThatHangsIsNotWaitedForLongerThanTheLimit) {
  for (const auto type : {HealthType::http, HealthType::https}) {
    Service service([](Tcp::socket& socket) { wait_for_end(socket); });
    HealthCheck check = service.check(type);
    check.timeout_ms = 100;
    const auto hung = run(check);
    EXPECT_FALSE(hung.finding.good);
    EXPECT_EQ(hung.finding.detail, "no answer within 100 ms");
    EXPECT_LT(hung.took, milliseconds(600));
  }
}

// A key and a certificate of its own making, as a service may have it.
void use_own_certificate(asio::ssl::context& context) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  SSL_CTX_use_certificate(context.native_handle(), certificate);
  SSL_CTX_use_PrivateKey(context.native_handle(), key);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

TEST(HttpProbe, SpeaksTlsAndNamesTheServer) {
  asio::ssl::context context(asio::ssl::context::tls_server);
  use_own_certificate(context);
  std::string name;
  {
    Service service([&](Tcp::socket& socket) {
      asio::ssl::stream<Tcp::socket&> stream(socket, context);
      boost::system::error_code error;
      stream.handshake(asio::ssl::stream_base::server, error);
      const char* sni = SSL_get_servername(stream.native_handle(), TLSEXT_NAMETYPE_host_name);
      name = sni != nullptr ? sni : "";
      answer(stream, "HTTP/1.1 200 OK\r\n\r\nall right");  // and ends without a word of TLS
    });
    HealthCheck check = service.check(HealthType::https);
    check.host = "shop.example";
    check.expect_body = "right";
    const auto finding = run(check).finding;
    EXPECT_TRUE(finding.good) << finding.detail;
  }
  EXPECT_EQ(name, "shop.example");
  Service plain([](Tcp::socket& socket) { answer(socket, "HTTP/1.1 200 OK\r\n\r\n"); });
  HealthCheck check = plain.check(HealthType::https);
  check.timeout_ms = 200;
  EXPECT_FALSE(run(check).finding.good) << "no TLS there";
}

struct ExecProbe : testing::Test {
  std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("nlb-exec-" + std::to_string(getpid()));
  void SetUp() override { std::filesystem::create_directories(directory); }
  void TearDown() override { std::filesystem::remove_all(directory); }

  HealthCheck program(const std::string& body, mode_t mode = 0755) {
    HealthCheck check;
    check.type = HealthType::exec;
    check.target = directory / "check";
    std::ofstream(check.target) << "#!/bin/sh\n" << body << "\n";
    chmod(check.target.c_str(), mode);
    check.timeout_ms = 3000;
    return check;
  }
};

TEST_F(ExecProbe, TheExitCodeSaysIt) {
  const auto good = run(program("echo '12 ms, all right'; echo more")).finding;
  EXPECT_TRUE(good.good);
  EXPECT_EQ(good.detail, "exit code 0: 12 ms, all right");
  const auto bad = run(program("echo no database >&2; exit 3")).finding;
  EXPECT_FALSE(bad.good);
  EXPECT_EQ(bad.detail, "exit code 3: no database");
  EXPECT_EQ(run(program("kill -TERM $$")).finding.detail, "ended by signal 15");
}

TEST_F(ExecProbe, WhatCannotBeRunIsNamed) {
  HealthCheck missing = program("");
  missing.target += ".not";
  EXPECT_EQ(run(missing).finding.detail, missing.target + ": it cannot be run: No such file or directory");
  const auto no_program = run(program("", 0644)).finding;
  EXPECT_FALSE(no_program.good);
  EXPECT_NE(no_program.detail.find("Permission denied"), std::string::npos) << no_program.detail;
}

TEST_F(ExecProbe, OneThatOthersMayChangeIsNotRun) {
  const auto mark = (directory / "mark").string();
  HealthCheck check = program("touch " + mark, 0775);
  EXPECT_NE(run(check).finding.detail.find("may be written by others"), std::string::npos);
  chmod(check.target.c_str(), 0755);
  if (geteuid() == 0) {
    ASSERT_EQ(chown(check.target.c_str(), 65534, 0), 0);
    EXPECT_NE(run(check).finding.detail.find("belongs to user 65534"), std::string::npos);
  }
  EXPECT_FALSE(std::filesystem::exists(mark));
}

bool lives(int pid) {
  std::string state;
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  for (int field = 0; field < 3; ++field) stat >> state;
  return stat && state != "Z";
}

// A killed process takes a moment to be gone.
bool is_alive(const std::string& pid_file) {
  int pid = 0;
  std::ifstream(pid_file) >> pid;
  EXPECT_GT(pid, 0) << pid_file;
  for (int look = 0; look < 200 && lives(pid); ++look) std::this_thread::sleep_for(milliseconds(5));
  return lives(pid);
}

TEST_F(ExecProbe, OneThatHangsIsKilledWithItsChildren) {
  HealthCheck check = program("sleep 60 & echo $! >" + (directory / "child").string() + "; echo $$ >" +
                              (directory / "self").string() + "; wait");
  check.timeout_ms = 300;
  const auto hung = run(check);
  EXPECT_EQ(hung.finding.detail, "no answer within 300 ms");
  EXPECT_LT(hung.took, milliseconds(1500));
  EXPECT_FALSE(is_alive(directory / "self"));
  EXPECT_FALSE(is_alive(directory / "child"));
}

TEST_F(ExecProbe, WhatItLeavesBehindIsKilledAndNotWaitedFor) {
  const auto left = run(program("sleep 60 & echo $! >" + (directory / "child").string()));
  EXPECT_TRUE(left.finding.good) << left.finding.detail;
  EXPECT_LT(left.took, milliseconds(2500));
  EXPECT_FALSE(is_alive(directory / "child"));
}

TEST_F(ExecProbe, OneThatWritesWithoutEndIsKilled) {
  const auto finding = run(program("exec cat /dev/zero")).finding;
  EXPECT_FALSE(finding.good);
  EXPECT_EQ(finding.detail, "wrote more than 64 KiB, and was killed");
}

// Standard input is something to read while this lives.
class InputToRead {
 public:
  InputToRead() {
    std::array<int, 2> pipe{};
    EXPECT_EQ(::pipe(pipe.data()), 0);
    EXPECT_EQ(write(pipe[1], "line\n", 5), 5);
    dup2(pipe[0], STDIN_FILENO);
    close(pipe[0]);
    close(pipe[1]);
  }
  ~InputToRead() {
    dup2(before_, STDIN_FILENO);
    close(before_);
  }

 private:
  int before_ = dup(STDIN_FILENO);
};

TEST_F(ExecProbe, HasTheGivenEnvironmentAndNothingOfOurs) {
  const InputToRead input;
  const int ours = open("/dev/null", O_RDONLY);  // without close-on-exec
  setenv("NLB_SECRET", "x", 1);
  const auto out = (directory / "seen").string();
  const auto finding =
      run(program("{ env; pwd; ls -l /proc/self/fd; } >" + out + "\nread line && exit 9\nexit 0"),
          {"PATH=/usr/bin:/bin", "NLB_HOST=2"})
          .finding;
  EXPECT_TRUE(finding.good) << finding.detail << ": its input is empty";
  std::ostringstream text;
  text << std::ifstream(out).rdbuf();
  EXPECT_NE(text.str().find("NLB_HOST=2\n"), std::string::npos) << text.str();
  EXPECT_EQ(text.str().find("NLB_SECRET"), std::string::npos) << text.str();
  EXPECT_NE(text.str().find("\n/\n"), std::string::npos) << text.str();
  EXPECT_EQ(text.str().find(" " + std::to_string(ours) + " -> /dev/null"), std::string::npos) << text.str();
  close(ours);
}

// What whoever started this program ignores goes on being ignored; signal 32 is such a one now and then.
std::string ignored_signals() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word)
    if (word == "SigIgn:" && status >> word) return word;
  return "";
}

// Run as root, which gets all capabilities by running a program where nothing forbids it.
TEST_F(ExecProbe, HasNoCapabilityAndNoRightToRealTime) {
  std::signal(SIGPIPE, SIG_DFL);
  const std::string ignored = ignored_signals();
  std::signal(SIGPIPE, SIG_IGN);                                              // as the daemon has it
  for (const auto resource : {RLIMIT_RTPRIO, RLIMIT_MEMLOCK, RLIMIT_CORE}) {  // as much as may be had here
    rlimit some{};
    ASSERT_EQ(getrlimit(resource, &some), 0);
    some.rlim_cur = some.rlim_max;
    ASSERT_EQ(setrlimit(resource, &some), 0);
  }
  const auto finding =
      run(program("grep -E '^(CapPrm|CapEff|CapAmb|CapInh|NoNewPrivs|SigIgn|SigBlk):' /proc/self/status | "
                  "tr -s '\\t\\n' '  '; test \"$(grep -cE 'Max (realtime priority|locked memory|core file "
                  "size) +0 +0 ' /proc/self/limits)\" = 3"),
          {"PATH=/usr/bin:/bin"})
          .finding;
  const std::string none = "0000000000000000";
  EXPECT_EQ(finding.detail, "exit code 0: SigBlk: " + none + " SigIgn: " + ignored + " CapInh: " + none +
                                " CapPrm: " + none + " CapEff: " + none + " CapAmb: " + none +
                                " NoNewPrivs: 1 ");
}

TEST(OwnAddress, IsWhatTheHostHas) {
  EXPECT_TRUE(is_own_address(*IpAddress::parse("127.0.0.1")));
  EXPECT_TRUE(is_own_address(*IpAddress::parse("127.9.9.9")));
  EXPECT_TRUE(is_own_address(*IpAddress::parse("::1")));
  EXPECT_FALSE(is_own_address(*IpAddress::parse("192.0.2.77")));
  EXPECT_FALSE(is_own_address(*IpAddress::parse("2001:db8::77")));
}

}  // namespace
}  // namespace nlb
