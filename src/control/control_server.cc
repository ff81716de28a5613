// SPDX-License-Identifier: Apache-2.0
// Serves the control socket on a thread of its own. One session a connection: read a line, call the handler,
// write the answer, again. Whoever is slow, silent or too long is closed; too many at once wait in the listen
// queue.
//
// A lock file beside the socket decides which of two daemons owns it: looking first and binding then would
// let both win. The kernel drops the lock with the process, so a crash leaves nothing that needs a person.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "control/control.hh"
#include "control/control_message.hh"
#include "control/control_socket.hh"
#include "control/visitors.hh"

namespace nlb {
namespace {

namespace asio = boost::asio;
constexpr std::size_t kWaitingThreads = 4;
using Local = asio::local::stream_protocol;

Error system_error(const std::string& what) {
  const int code = errno;
  return {what + ": " + std::strerror(code), code};
}

// Whom requests go to; the server's.
struct Desk {
  ControlServer::Handler handler;
  ControlServer::Waits waits;
  asio::thread_pool waiting{kWaitingThreads};
  std::size_t waiting_of_others = 0;  // of those who are no admins: some threads are always left for these
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Local::socket socket, Desk& desk, const Peer& peer, Visitors& visitors, std::shared_ptr<void> slot)
      : socket_(std::move(socket)),
        timer_(socket_.get_executor()),
        desk_(desk),
        peer_(peer),
        visitors_(visitors),
        slot_(std::move(slot)) {}

  void read() {
    arm_timer();
    asio::async_read_until(socket_, input_, '\n', [self = shared_from_this()](auto code, std::size_t size) {
      if (!code) return self->answer(size);
      if (code == asio::error::not_found) return self->refuse("the request is longer than 64 KiB");
      self->close();
    });
  }

 private:
  void answer(std::size_t size) {
    const std::string line(static_cast<const char*>(input_.data().data()), size);
    input_.consume(size);
    if (!visitors_.may_ask(peer_, std::chrono::steady_clock::now()))
      return refuse("too many requests of user " + std::to_string(peer_.user) + "; ask less often", 1);
    if (request_is(line, desk_.waits)) return wait_for_answer(line);
    write(answer_line(line, desk_.handler, peer_), true);
  }

  // The session lives on its own thread; only the handler runs elsewhere.
  void wait_for_answer(const std::string& line) {
    const bool counts = !peer_.may(Role::admin);
    if (counts && desk_.waiting_of_others >= kWaitingThreads / 2)
      return write(to_line(error_answer("too many requests wait for other hosts; ask again later", 1)), true);
    if (counts) ++desk_.waiting_of_others;
    timer_.cancel();
    asio::post(desk_.waiting, [self = shared_from_this(), line, counts] {
      auto answer = answer_line(line, self->desk_.handler, self->peer_);
      asio::post(self->socket_.get_executor(), [self, counts, answer = std::move(answer)]() mutable {
        if (counts) --self->desk_.waiting_of_others;
        self->write(std::move(answer), true);
      });
    });
  }

  void refuse(const std::string& message, int exit = 2) {
    write(to_line(error_answer(message, exit)), false);
  }

  void write(std::string answer, bool go_on) {
    output_ = std::move(answer);
    arm_timer();
    asio::async_write(socket_, asio::buffer(output_),
                      [self = shared_from_this(), go_on](auto code, std::size_t) {
                        if (code || !go_on) return self->close();
                        self->read();
                      });
  }

  void arm_timer() {
    timer_.expires_after(std::chrono::milliseconds(kRequestTimeoutMs));
    timer_.async_wait([weak = weak_from_this()](auto code) {
      const auto self = weak.lock();
      if (!code && self) self->close();
    });
  }

  void close() {
    boost::system::error_code ignored;
    timer_.cancel();
    socket_.close(ignored);
  }

  Local::socket socket_;
  asio::steady_timer timer_;
  Desk& desk_;
  const Peer peer_;
  Visitors& visitors_;
  std::shared_ptr<void> slot_;  // one of kMaxSessions; its end lets the server accept again
  asio::streambuf input_{kMaxRequestBytes};
  std::string output_;
};

class Server final : public ControlServer {
 public:
  Server(int fd, int lock, std::string path, Handler handler, Roles roles, Waits waits)
      : acceptor_(io_, Local(), fd),
        retry_(io_),
        lock_(lock),
        path_(std::move(path)),
        roles_(std::move(roles)) {
    desk_.handler = std::move(handler);
    desk_.waits = std::move(waits);
    struct stat status {};
    if (::lstat(path_.c_str(), &status) == 0) inode_ = status.st_ino;
    accept();
    thread_ = std::thread([this] { io_.run(); });
  }

  ~Server() override {
    io_.stop();
    thread_.join();
    desk_.waiting.join();
    waiting_ = false;  // sessions that end from here on must not ask for a successor
    struct stat status {};
    if (::lstat(path_.c_str(), &status) == 0 && status.st_ino == inode_) ::unlink(path_.c_str());
    ::close(lock_);
  }

 private:
  void accept() {
    acceptor_.async_accept([this](auto code, Local::socket socket) {
      if (!acceptor_.is_open()) return;
      if (code) return accept_later();
      const Peer peer = roles_.peer_of(socket.native_handle());
      if (visitors_.enter(peer))
        begin(std::move(socket), peer);
      else
        turn_away(socket);
      visitors_.is_full() ? void(waiting_ = true) : accept();
    });
  }

  // The count goes down when the session goes; the server outlives its sessions (io_ is destroyed with it).
  void begin(Local::socket socket, const Peer& peer) {
    std::shared_ptr<void> slot(nullptr, [this, peer](void*) {
      visitors_.leave(peer);
      if (waiting_) asio::post(io_, [this] { accept_again(); });
    });
    std::make_shared<Session>(std::move(socket), desk_, peer, visitors_, std::move(slot))->read();
  }

  // One attempt that waits for nobody: whom there is no room for is not worth a session.
  static void turn_away(Local::socket& socket) {
    const std::string line = error_answer("too many connections of this user; close one", 1).dump() + "\n";
    boost::system::error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(line), ignored);
  }

  void accept_again() {
    if (!waiting_) return;
    waiting_ = false;
    accept();
  }

  // Out of descriptors, most likely: try again soon, do not spin.
  void accept_later() {
    retry_.expires_after(std::chrono::milliseconds(100));
    retry_.async_wait([this](auto code) {
      if (!code) accept();
    });
  }

  // Before io_: pending sessions are destroyed with it, use the desk and leave.
  Desk desk_;
  Visitors visitors_;
  bool waiting_ = false;
  asio::io_context io_{1};
  Local::acceptor acceptor_;
  asio::steady_timer retry_;
  int lock_;
  std::string path_;
  Roles roles_;
  ino_t inode_ = 0;
  std::thread thread_;
};

Result<void> make_directory(const std::string& socket_path) {
  const auto directory = std::filesystem::path(socket_path).parent_path();
  if (directory.empty()) return {};
  std::error_code code;
  if (std::filesystem::is_directory(directory, code)) return {};
  if (directory.has_parent_path()) std::filesystem::create_directories(directory.parent_path(), code);
  if (::mkdir(directory.c_str(), 0750) != 0 && errno != EEXIST)
    return tl::unexpected(system_error("cannot make " + directory.string()));
  return {};
}

Result<int> take_lock(const std::string& socket_path) {
  const auto name = socket_path + ".lock";
  const int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return tl::unexpected(system_error("cannot open " + name));
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  ::close(fd);
  return fail("another daemon runs with " + socket_path + "; stop it, or use another --runtime-dir",
              EADDRINUSE);
}

Result<void> clear_way(const std::string& path) {
  switch (probe_socket(path)) {
    case SocketState::absent:
      return {};
    case SocketState::stale:
      if (::unlink(path.c_str()) != 0)
        return tl::unexpected(system_error("cannot remove the stale socket " + path));
      return {};
    case SocketState::not_socket:
      return fail(path + " is there already and is no socket; remove it", EEXIST);
    case SocketState::live:
    case SocketState::denied:
      break;
  }
  return fail("another daemon answers at " + path + "; stop it, or use another --runtime-dir", EADDRINUSE);
}

// The mode is set before bind, so that there is no moment in which others could connect.
Result<int> bound_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return tl::unexpected(system_error("cannot make a socket"));
  if (::fchmod(fd, 0660) != 0 ||
      ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(path.c_str(), 0660) != 0 || ::listen(fd, SOMAXCONN) != 0) {
    auto error = system_error("cannot listen at " + path);
    ::close(fd);
    return tl::unexpected(std::move(error));
  }
  return fd;
}

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::listen(const std::string& socket_path, Handler handler,
                                                             Roles roles, Waits waits) {
  if (socket_path.size() > kMaxSocketPathBytes)
    return fail(socket_path + ": longer than the " + std::to_string(kMaxSocketPathBytes) +
                    " bytes of a socket's path; use a shorter --runtime-dir",
                ENAMETOOLONG);
  if (auto made = make_directory(socket_path); !made) return tl::unexpected(made.error());
  const auto lock = take_lock(socket_path);
  if (!lock) return tl::unexpected(lock.error());
  auto cleared = clear_way(socket_path);
  Result<int> fd = cleared ? bound_socket(socket_path) : tl::unexpected(cleared.error());
  if (!fd) {
    ::close(*lock);
    return tl::unexpected(fd.error());
  }
  return std::make_unique<Server>(*fd, *lock, socket_path, std::move(handler), std::move(roles),
                                  std::move(waits));
}

}  // namespace nlb
