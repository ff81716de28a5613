// SPDX-License-Identifier: Apache-2.0
// nlbd: one cluster host. This file is the order in which it comes up and goes down.
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "control/control.hh"
#include "datapath/pins.hh"
#include "linux/capabilities.hh"
#include "linux/instance_lock.hh"
#include "linux/realtime.hh"
#include "nlbd/administration.hh"
#include "nlbd/daemon.hh"
#include "nlbd/local_config.hh"
#include "nlbd/resume_file.hh"
#include "nlbd/user_change.hh"
#include "nlbd/withdrawal.hh"

namespace {

namespace asio = boost::asio;
constexpr int kDone = 0, kFailed = 1, kBadConfiguration = 2;

struct Options {
  nlb::DaemonPaths paths;
  std::string user;
  bool check_config = false, release = false;
};

// Exits by itself on --help and on wrong usage (2).
Options parse_options(int argc, char** argv) {
  Options options;
  CLI::App app{"OpenNLB cluster host"};
  bool foreground = false;
  app.add_option("--config", options.paths.config, "configuration file")->required();
  app.add_option("--runtime-dir", options.paths.runtime_directory, "default /run/opennlb/CLUSTER");
  app.add_option("--state-dir", options.paths.state_directory, "default /var/lib/opennlb/CLUSTER");
  app.add_option("--user", options.user,
                 "run as this user (name or number) with the needed capabilities alone; default: as started");
  app.add_flag("--check-config", options.check_config,
               "check the configuration and exit: 0, or 2 with FILE:LINE lines");
  app.add_flag("--release", options.release,
               "take VIPs, cluster MAC, filter and guard off this host and exit; no daemon may run");
  app.add_flag("--foreground", foreground, "stay in the foreground (always so)");
  app.set_version_flag("--version", NLB_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? kDone : kBadConfiguration);
  }
  return options;
}

std::optional<std::string> make_directory(const std::string& path, mode_t mode) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return path + ": " + error.message();
  (void)chmod(path.c_str(), mode);
  const std::string probe = path + "/.writable";
  std::FILE* file = std::fopen(probe.c_str(), "w");
  if (file == nullptr) return path + ": cannot write there: " + std::strerror(errno);
  std::fclose(file);
  std::filesystem::remove(probe, error);
  return std::nullopt;
}

// What speaks against starting, each with its cause.
std::vector<std::string> obstacles(const nlb::DaemonPaths& paths, const nlb::Config& config) {
  std::vector<std::string> found;
  for (const auto& missing : nlb::missing_capabilities())
    if (missing.required)
      found.push_back("capability " + missing.name + " is missing: without it, " + missing.purpose);
  for (const std::string& directory : {paths.runtime_directory, paths.state_directory})
    if (const auto problem = make_directory(directory, 0750)) found.push_back(*problem);
  const std::string pins = nlb::pin_directory_of(paths.runtime_directory);
  if (geteuid() != 0 && !(nlb::make_pin_directory(pins) && access(pins.c_str(), W_OK) == 0))
    found.push_back(pins +
                    ": this user cannot pin there, and could not tell its own programs after a crash; "
                    "let root make it for this user on a bpf file system, or start nlbd with --user");
  for (const std::string& problem : nlb::preflight(config)) found.push_back(problem);
  return found;
}

class MainLoop {
 public:
  explicit MainLoop(nlb::Daemon& daemon)
      : daemon_(daemon),
        link_(io_, daemon.link_fd()),
        bind_(io_, daemon.bind_fd()),
        claims_(io_, daemon.claims_fd()),
        switch_(io_, daemon.switch_fd()) {
    wait_for_signal();
    wait_for(link_, [this] { daemon_.on_link_change(); });
    wait_for(bind_, [this] { daemon_.on_bind_over(); });
    wait_for_claims();
    wait_for(switch_, [this] { daemon_.on_switch(); });
    wait_for_tick();
  }
  ~MainLoop() {
    for (auto* descriptor : {&link_, &bind_, &claims_, &switch_}) descriptor->release();  // the daemon's
  }
  void run() { io_.run(); }

 private:
  void wait_for_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
      if (error) return;
      if (signal == SIGHUP) {
        sd_notify(0, "RELOADING=1");
        if (auto done = daemon_.reload(); !done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
        sd_notify(0, "READY=1");
        return wait_for_signal();
      }
      io_.stop();
    });
  }
  void wait_for(asio::posix::stream_descriptor& descriptor, const std::function<void()>& act) {
    descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                          [this, &descriptor, act](const boost::system::error_code& error) {
                            if (error) return;
                            act();
                            if (daemon_.needs_restart()) return io_.stop();
                            wait_for(descriptor, act);
                          });
  }
  // What was read from the kernel and not looked at yet does not wake anybody, so the next turn is asked for.
  void wait_for_claims() {
    claims_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [this](const boost::system::error_code& error) {
                         if (!error) hear_claims();
                       });
  }
  void hear_claims() {
    if (daemon_.on_claim()) return asio::post(io_, [this] { hear_claims(); });
    wait_for_claims();
  }
  void wait_for_tick() {
    timer_.expires_after(std::chrono::milliseconds(500));
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      daemon_.tick();
      if (daemon_.needs_restart()) return io_.stop();
      sd_notify(0, "WATCHDOG=1");
      wait_for_tick();
    });
  }

  nlb::Daemon& daemon_;
  asio::io_context io_;
  asio::signal_set signals_{io_, SIGTERM, SIGINT, SIGHUP};
  asio::posix::stream_descriptor link_, bind_, claims_, switch_;
  asio::steady_timer timer_{io_};
};

int complain(const nlb::Error& error, int exit_code = kFailed) {
  std::fprintf(stderr, "nlbd: %s\n", error.message.c_str());
  return exit_code;
}

// As the user that the daemon will be: what that one cannot read is named now, not at the first reload.
// A check by root, who may look at any, also holds for a daemon of another user.
auto read_configuration(const Options& options, const std::optional<nlb::Account>& account) {
  std::optional<nlb::ActingAs> acting;
  if (account) acting.emplace(*account);
  const auto key_of = options.check_config || options.release ? nlb::SecretOwner::any_to_root
                                                              : nlb::SecretOwner::root_or_reader;
  return nlb::read_local_config(options.paths.config, key_of);
}

int release(const nlb::Config& config, const nlb::DaemonPaths& paths) {
  const auto lock = nlb::InstanceLock::take(config.interface);
  if (!lock) return complain(lock.error());
  const auto done = nlb::withdraw(config, paths);
  return done ? kDone : complain(done.error());
}

}  // namespace

int main(int argc, char** argv) {
  Options options = parse_options(argc, argv);
  nlb::hide_memory();
  std::optional<nlb::Account> account;
  if (!options.user.empty()) {
    auto known = nlb::find_account(options.user);
    if (!known) return complain(known.error(), kBadConfiguration);
    account = *known;
  }
  auto config = read_configuration(options, account);
  if (!config) {
    for (const auto& problem : config.error()) std::fprintf(stderr, "%s\n", problem.text().c_str());
    return kBadConfiguration;
  }
  auto roles = nlb::Roles::of(config->operators, config->admins);
  if (!roles) return complain(roles.error().within(options.paths.config), kBadConfiguration);
  if (options.check_config) return kDone;
  if (options.paths.runtime_directory.empty())
    options.paths.runtime_directory = "/run/opennlb/" + config->name;
  if (options.paths.state_directory.empty())
    options.paths.state_directory = "/var/lib/opennlb/" + config->name;

  nlb::use_small_stacks();
  if (options.release) return release(*config, options.paths);
  // A daemon that died in its view is waited for no longer than its lease runs, however busy the machine is.
  // Daemon::start() ends this, with the first heartbeats.
  if (nlb::is_view_left_at(nlb::resume_path_in(options.paths.runtime_directory)))
    (void)nlb::become_realtime(nlb::kUrgentStartPriority);

  if (account)
    if (auto changed = nlb::change_user(*account, options.paths); !changed) return complain(changed.error());
  nlb::hide_memory();  // a change of user shows it again
  const auto found = obstacles(options.paths, *config);
  for (const std::string& obstacle : found) std::fprintf(stderr, "nlbd: %s\n", obstacle.c_str());
  if (!found.empty()) return kFailed;
  const auto lock = nlb::InstanceLock::take(config->interface);
  if (!lock) return complain(lock.error());
  const auto name_lock = nlb::InstanceLock::take_cluster(config->name);
  if (!name_lock) return complain(name_lock.error());
  const auto directory_lock = nlb::InstanceLock::take_directory(options.paths.runtime_directory);
  if (!directory_lock) return complain(directory_lock.error());

  std::signal(SIGPIPE, SIG_IGN);
  spdlog::set_pattern("[%l] %v");  // events carry the time at which they happened
  nlb::set_event_place({config->name, config->id, options.paths.state_directory});
  nlb::Daemon daemon(options.paths, std::move(*config));
  if (auto attached = daemon.attach(); !attached) return complain(attached.error());
  if (auto kept = nlb::keep_only(nlb::nlbd_needs()); !kept) return complain(kept.error());
  if (auto started = daemon.start(); !started) return complain(started.error());
  auto control = nlb::ControlServer::listen(
      options.paths.runtime_directory + "/control.sock",
      [&](const nlohmann::json& request, const nlb::Peer& peer) { return daemon.answer(request, peer); },
      std::move(*roles), nlb::Administration::waits);
  if (!control) return complain(control.error());
  sd_notify(0, "READY=1\nSTATUS=running");
  MainLoop(daemon).run();
  sd_notify(0, "STOPPING=1");
  control->reset();
  daemon.stop_for_restart();
  if (daemon.needs_restart()) execv("/proc/self/exe", argv);
  return kDone;
}
