// SPDX-License-Identifier: Apache-2.0
#include "console/fleet.hh"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <filesystem>

#include "control/control.hh"

namespace nlb::console {
namespace {

using Json = nlohmann::json;
using std::chrono::steady_clock;
constexpr int kNobodyThere = 3, kAliveTimeoutMs = 2000;
constexpr unsigned kLooksBetween = 3;  // a daemon that was started anew may give another role
constexpr std::size_t kMostShared = 64;

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "this host";
}

std::vector<std::string> sockets_below(const std::string& root) {
  namespace fs = std::filesystem;
  std::vector<std::string> found;
  std::error_code code;
  for (fs::directory_iterator at(root, code), end; !code && at != end; at.increment(code)) {
    const auto path = at->path() / "control.sock";
    std::error_code gone;
    if (fs::is_socket(path, gone)) found.push_back(path.string());
  }
  return found;
}

// In a service, its own; else where nobody else looks.
Result<std::string> private_directory() {
  const char* given = std::getenv("RUNTIME_DIRECTORY");
  if (given == nullptr || *given == '\0') given = std::getenv("XDG_RUNTIME_DIR");
  std::string name =
      (given == nullptr || *given == '\0' ? std::string("/tmp") : given) + "/nlb-console-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr)
    return fail(name + ": no directory for the sockets of ssh can be made there", errno);
  return name;
}

}  // namespace

const char* name_of(Kind kind) {
  return kind == Kind::cluster ? "cluster" : "switch";
}

void Target::add(const std::string& socket, const std::string& role) {
  const std::lock_guard lock(mutex_);
  const auto known =
      std::find_if(sockets_.begin(), sockets_.end(), [&](const Socket& one) { return one.path == socket; });
  if (known == sockets_.end())
    sockets_.push_back({socket, role});
  else
    known->role = role;
}

Result<Json> Target::ask(const Json& request, int timeout_ms) {
  std::vector<Socket> sockets;
  std::size_t first = 0;
  {
    const std::lock_guard lock(mutex_);
    sockets = sockets_;
    first = current_;
  }
  Result<Json> answer = fail("no socket of " + name_ + " is known", kNobodyThere);
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    const std::size_t at = (first + i) % sockets.size();
    answer = nlb::ask(sockets[at].path, request, timeout_ms);
    // Of one other host, it may be that host that is silent.
    const bool of_one = request.contains("hosts") && request["hosts"] != "all";
    const bool silent = !answer && answer.error().code == kNobodyThere && !of_one;
    const std::lock_guard lock(mutex_);
    if (!silent) {
      current_ = at;
      error_.clear();
      return answer;
    }
    error_ = answer.error().message;
  }
  return answer;
}

Result<Json> Target::command(const Json& request, int timeout_ms) {
  if (const auto alive = ask({{"command", "version"}}, kAliveTimeoutMs); !alive) return alive;
  std::string path;
  {
    const std::lock_guard lock(mutex_);
    path = sockets_[current_].path;
  }
  return nlb::ask(path, request, timeout_ms);
}

Result<Json> Target::ask_shared(const Json& request, std::chrono::milliseconds age) {
  std::shared_ptr<Shared> shared;
  {
    const std::lock_guard lock(mutex_);
    auto& there = shared_[request.dump()];
    if (!there) there = std::make_shared<Shared>();
    shared = there;
    forget_old(age);
  }
  const std::lock_guard lock(shared->asking);
  if (shared->at == steady_clock::time_point{} || steady_clock::now() - shared->at > age) {
    shared->answer = ask(request);
    shared->at = steady_clock::now();
  }
  return shared->answer;
}

// What nobody asks for any more; with the lock. An answer is at most 16 MiB, and usually one.
void Target::forget_old(std::chrono::milliseconds age) {
  const auto now = steady_clock::now();
  std::erase_if(shared_, [&](const auto& entry) {
    return entry.second.use_count() == 1 && now - entry.second->at > age;  // one: nobody writes it now
  });
  if (shared_.size() > kMostShared) shared_.clear();
}

Json Target::summary() const {
  const std::lock_guard lock(mutex_);
  Json sockets = Json::array();
  for (const auto& socket : sockets_) sockets.push_back(socket.path);
  return {{"id", id_},
          {"kind", name_of(kind_)},
          {"name", name_},
          {"role", sockets_.empty() ? "read" : sockets_[current_].role},
          {"connected", error_.empty()},
          {"error", error_},
          {"sockets", sockets}};
}

Fleet::Fleet(const Places& places, Found found) : places_(places), found_(std::move(found)) {
  for (const auto& machine : places_.machines) {
    auto directory = private_directory();
    if (directory)
      tunnels_.push_back(std::make_unique<SshTunnel>(machine, *directory));
    else
      silent_[machine.text] = directory.error().message;
  }
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      lock.unlock();
      look();
      lock.lock();
      wake_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_; });
    }
  });
}

Fleet::~Fleet() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

std::vector<std::string> Fleet::sockets_now() const {
  if (places_.sockets.empty() && places_.machines.empty()) return sockets_below(places_.runtime_root);
  auto sockets = places_.sockets;
  for (const auto& tunnel : tunnels_)
    for (const auto& socket : tunnel->sockets()) sockets.push_back(socket);
  return sockets;
}

void Fleet::look() {
  const bool again = ++looks_ % kLooksBetween == 0;
  for (const auto& socket : sockets_now()) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      if (belongs_.contains(socket) && !again) continue;
    }
    try {
      identify(socket);
    } catch (const std::exception& error) {  // an answer of another shape
      const std::lock_guard lock(mutex_);
      silent_[socket] = std::string("its answer cannot be read: ") + error.what();
    }
  }
}

void Fleet::identify(const std::string& socket) {
  const auto version = nlb::ask(socket, {{"command", "version"}}, kAliveTimeoutMs);
  if (!version) {
    const std::lock_guard lock(mutex_);
    if (!belongs_.contains(socket)) silent_[socket] = version.error().message;
    return;
  }
  const bool cluster = version->contains("cluster");
  const auto name = cluster ? version->value("cluster", "") : version->value("node", host_name());
  const auto target = target_for(cluster ? Kind::cluster : Kind::hypervisor, name);
  target->add(socket, version->value("role", "read"));
  const std::lock_guard lock(mutex_);
  silent_.erase(socket);
  belongs_[socket] = target->id();
}

std::shared_ptr<Target> Fleet::target_for(Kind kind, const std::string& name) {
  const std::string id = std::string(name_of(kind)) + "-" + name;
  if (auto known = find(id)) return known;
  auto target = std::make_shared<Target>(id, kind, name);
  {
    const std::lock_guard lock(mutex_);
    targets_.push_back(target);
  }
  found_(target);
  return target;
}

std::vector<std::shared_ptr<Target>> Fleet::targets() const {
  const std::lock_guard lock(mutex_);
  return targets_;
}

std::shared_ptr<Target> Fleet::find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  for (const auto& target : targets_)
    if (target->id() == id) return target;
  return nullptr;
}

Json Fleet::silent() const {
  const std::lock_guard lock(mutex_);
  Json list = Json::array();
  for (const auto& [socket, reason] : silent_) {
    Json entry = {{"socket", socket}, {"error", reason}};
    for (const auto& tunnel : tunnels_)
      if (const auto text = tunnel->text_of(socket); !text.empty())
        entry = {{"socket", text},
                 {"error",
                  "the daemon there does not answer: " + (tunnel->said().empty() ? reason : tunnel->said())}};
    list.push_back(entry);
  }
  for (const auto& tunnel : tunnels_)
    if (const auto trouble = tunnel->trouble(); !trouble.empty())
      list.push_back({{"socket", tunnel->text()}, {"error", trouble}});
  return list;
}

}  // namespace nlb::console
