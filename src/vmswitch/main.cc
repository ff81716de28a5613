// SPDX-License-Identifier: Apache-2.0
// nlb-vmswitch: the guard of a hypervisor's bridges. This file is the order in which it comes up and goes
// down; nothing that it does in between is needed to keep the policy in force.
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "control/control.hh"
#include "linux/capabilities.hh"
#include "vmswitch/switch_daemon.hh"

namespace {

namespace asio = boost::asio;
using nlb::vmswitch::SwitchDaemon;
constexpr int kDone = 0, kFailed = 1, kBadConfiguration = 2;

struct Options {
  nlb::vmswitch::SwitchPaths paths;
  bool check_config = false, release = false;
  bool may_use_tcx = true;
};

// Exits by itself on --help and on wrong usage (2).
Options parse_options(int argc, char** argv) {
  Options options;
  std::string attach = "auto";
  CLI::App app{"OpenNLB guard of the ports of Linux bridges"};
  app.add_option("--config", options.paths.config, "configuration file; vmswitch.d lies beside it")
      ->required();
  app.add_option("--runtime-dir", options.paths.runtime_directory, "default /run/opennlb/vmswitch");
  app.add_flag("--check-config", options.check_config,
               "check the configuration and exit: 0, or 2 with FILE:LINE lines");
  app.add_flag("--release", options.release,
               "take the guard off the bridges and exit: they pass everything again");
  app.add_option("--attach", attach, "where programs go: auto (tcx where the kernel has it) or clsact")
      ->check(CLI::IsMember({"auto", "clsact"}));
  app.set_version_flag("--version", NLB_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? kDone : kBadConfiguration);
  }
  options.may_use_tcx = attach == "auto";
  return options;
}

std::vector<std::string> obstacles(const nlb::vmswitch::SwitchPaths& paths) {
  std::vector<std::string> found;
  for (const auto& missing : nlb::missing_capabilities(nlb::vmswitch_needs()))
    if (missing.required)
      found.push_back("capability " + missing.name + " is missing: without it, " + missing.purpose);
  std::error_code error;
  std::filesystem::create_directories(paths.runtime_directory, error);
  if (error) found.push_back(paths.runtime_directory + ": " + error.message());
  return found;
}

class MainLoop {
 public:
  explicit MainLoop(SwitchDaemon& daemon)
      : daemon_(daemon),
        links_(io_, daemon.monitor().link_fd()),
        rules_(io_, daemon.monitor().rule_fd()),
        events_(io_, daemon.events_fd()),
        announcements_(io_, daemon.announcements_fd()) {
    wait_for_signal();
    wait_for(links_, [this] { daemon_.on_change(); });
    wait_for(rules_, [this] { daemon_.on_change(); });
    wait_for(events_, [this] { daemon_.on_events(); });
    wait_for(announcements_, [this] { daemon_.on_announcements(); });
    wait_for_tick();
  }
  ~MainLoop() {
    for (auto* descriptor : {&links_, &rules_, &events_, &announcements_}) descriptor->release();
  }
  void run() { io_.run(); }

 private:
  void wait_for_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
      if (error) return;
      if (signal != SIGHUP) return io_.stop();
      sd_notify(0, "RELOADING=1");
      if (auto done = daemon_.reload(); !done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
      sd_notify(0, "READY=1");
      wait_for_signal();
    });
  }
  template <typename Act>
  void wait_for(asio::posix::stream_descriptor& descriptor, Act act) {
    descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                          [this, &descriptor, act](const boost::system::error_code& error) {
                            if (error) return;
                            act();
                            wait_for(descriptor, act);
                          });
  }
  void wait_for_tick() {
    constexpr int kOften = 25;
    const bool often = daemon_.has_incoming();
    timer_.expires_after(std::chrono::milliseconds(often ? 500 / kOften : 500));
    timer_.async_wait([this, often](const boost::system::error_code& error) {
      if (error) return;
      if (often) daemon_.watch_incoming();
      if (!often || ++looks_ % kOften == 0) {
        daemon_.tick();
        sd_notify(0, "WATCHDOG=1");
      }
      wait_for_tick();
    });
  }

  SwitchDaemon& daemon_;
  asio::io_context io_;
  asio::signal_set signals_{io_, SIGTERM, SIGINT, SIGHUP};
  asio::posix::stream_descriptor links_, rules_, events_, announcements_;
  asio::steady_timer timer_{io_};
  unsigned looks_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  using nlb::vmswitch::SwitchConfigResult;
  auto texts = nlb::vmswitch::read_switch_texts(options.paths.config);
  if (texts && !options.check_config)
    texts->guests = nlb::vmswitch::read_guest_files(options.paths.runtime_directory);
  auto config =
      texts ? nlb::vmswitch::parse_switch_config(*texts) : SwitchConfigResult(tl::unexpected(texts.error()));
  if (!config) {
    for (const auto& problem : config.error()) std::fprintf(stderr, "%s\n", problem.text().c_str());
    return kBadConfiguration;
  }
  if (options.check_config) return kDone;
  const auto found = obstacles(options.paths);
  for (const std::string& obstacle : found) std::fprintf(stderr, "nlb-vmswitch: %s\n", obstacle.c_str());
  if (!found.empty()) return kFailed;
  nlb::hide_memory();
  if (auto kept = nlb::keep_only(nlb::vmswitch_needs()); !kept) {
    std::fprintf(stderr, "nlb-vmswitch: %s\n", kept.error().message.c_str());
    return kFailed;
  }

  std::signal(SIGPIPE, SIG_IGN);
  spdlog::set_pattern("[%l] %v");  // events carry the time at which they happened
  SwitchDaemon daemon(options.paths, std::move(*texts), std::move(*config), options.may_use_tcx);
  if (auto done = options.release ? daemon.release() : daemon.start(); !done) {
    std::fprintf(stderr, "nlb-vmswitch: %s\n", done.error().message.c_str());
    return kFailed;
  }
  if (options.release) return kDone;
  auto control = nlb::ControlServer::listen(
      options.paths.runtime_directory + "/control.sock",
      [&](const nlohmann::json& request, const nlb::Peer& peer) { return daemon.answer(request, peer); });
  if (!control) {
    std::fprintf(stderr, "nlb-vmswitch: %s\n", control.error().message.c_str());
    return kFailed;
  }
  if (auto done = daemon.follow_guest_files(); !done)
    std::fprintf(stderr, "nlb-vmswitch: %s\n", done.error().message.c_str());
  sd_notify(0, "READY=1\nSTATUS=policy in force");
  MainLoop(daemon).run();
  sd_notify(0, "STOPPING=1");
  control->reset();
  daemon.stop();
  return kDone;
}
