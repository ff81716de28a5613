// SPDX-License-Identifier: Apache-2.0
// nlb-console: the web console of clusters and of the switches of hypervisors. `nlb console` runs it.
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "console/console.hh"

namespace {

constexpr int kFailed = 1, kUsage = 2;

std::string state_directory() {
  const auto from = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (const auto given = from("STATE_DIRECTORY"); !given.empty()) return given;  // systemd's
  if (::geteuid() == 0) return "/var/lib/opennlb-console";
  if (const auto given = from("XDG_STATE_HOME"); !given.empty()) return given + "/opennlb-console";
  return from("HOME") + "/.local/state/opennlb-console";
}

// Beside the program, installed and in the build tree alike.
std::string assets_directory() {
  namespace fs = std::filesystem;
  std::error_code code;
  return (fs::read_symlink("/proc/self/exe", code).parent_path().parent_path() / "share/opennlb/web")
      .string();
}

nlb::Result<void> read_listen(const std::string& text, nlb::console::Settings& settings) {
  const auto colon = text.rfind(':');
  const auto port = colon == std::string::npos ? text : text.substr(colon + 1);
  auto address = colon == std::string::npos ? settings.address : text.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  char* end = nullptr;
  const auto number = std::strtol(port.c_str(), &end, 10);
  if (port.empty() || *end != '\0' || number < 0 || number > 65535)
    return nlb::fail("--listen " + text + ": allowed: PORT, ADDRESS:PORT or [ADDRESS]:PORT");
  settings.address = address;
  settings.port = static_cast<uint16_t>(number);
  return {};
}

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1";
}

nlb::Result<void> read_places(const std::vector<std::string>& connect, nlb::console::Fleet::Places& places) {
  for (std::string place : connect) {
    if (place.starts_with("ssh:")) {
      auto machine = nlb::console::parse_ssh_place(place);
      if (!machine) return tl::unexpected(machine.error().within("--connect"));
      places.machines.push_back(*machine);
      continue;
    }
    if (place.starts_with("unix:")) place = place.substr(5);
    if (!place.starts_with('/'))
      return nlb::fail("--connect " + place + ": allowed: unix:/PATH or ssh://[USER@]HOST[:PORT][/SOCKET]");
    places.sockets.push_back(place);
  }
  return {};
}

nlb::Result<void> complete(const std::string& listen, const std::vector<std::string>& connect,
                           nlb::console::Settings& settings) {
  if (auto done = read_listen(listen, settings); !done) return done;
  if (auto done = read_places(connect, settings.places); !done) return done;
  if (!is_loopback(settings.address) && settings.certificate.empty())
    return nlb::fail(
        settings.address +
        " is not loopback: the token would cross the network in clear; give --certificate and --key");
  return {};
}

int serve(const nlb::console::Settings& settings) {
  sigset_t ends;
  sigemptyset(&ends);
  for (const int signal : {SIGINT, SIGTERM}) sigaddset(&ends, signal);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // before the first thread
  ::signal(SIGPIPE, SIG_IGN);
  // Else each of twenty threads keeps what its largest answer once took.
  ::mallopt(M_ARENA_MAX, 2);
  nlb::console::Console console(settings);
  if (auto started = console.start(); !started) {
    std::cerr << "nlb-console: " << started.error().message << "\n";
    return kFailed;
  }
  const bool six = settings.address.find(':') != std::string::npos;
  std::cout << "OpenNLB console: " << (settings.certificate.empty() ? "http://" : "https://")
            << (six ? "[" : "") << settings.address << (six ? "]" : "") << ":" << console.port() << "/\n"
            << "The token is in " << settings.token_file << "\n"
            << (console.has_pages() ? ""
                                    : "The pages were not built (no node); the API under /api/v1 works.\n")
            << std::flush;
  int signal = 0;
  sigwait(&ends, &signal);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  nlb::console::Settings settings;
  settings.token_file = state_directory() + "/token";
  settings.assets = assets_directory();
  std::string listen = settings.address + ":" + std::to_string(settings.port);
  CLI::App app("The web console of clusters and of hypervisors' switches, over their control sockets.",
               "nlb-console");
  app.set_version_flag("--version", std::string("nlb-console ") + NLB_VERSION);
  app.add_option("--listen", listen, "ADDRESS:PORT (127.0.0.1:8420); not loopback: with a certificate only");
  std::vector<std::string> connect;
  app.add_option(
      "--connect", connect,
      "unix:/PATH of a control socket or ssh://[USER@]HOST[:PORT][/SOCKET], several times; default: "
      "all below /run/opennlb");
  app.add_option("--token-file", settings.token_file, "made, mode 0600, when it is not there")
      ->capture_default_str();
  auto* certificate = app.add_option("--certificate", settings.certificate, "chain in PEM: serve TLS");
  app.add_option("--key", settings.key, "its key in PEM")->needs(certificate);
  app.add_option("--assets", settings.assets, "the directory of the pages")->capture_default_str();
  app.add_option("--runtime-root", settings.places.runtime_root, "where control sockets are looked for");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  if (auto done = complete(listen, connect, settings); !done) {
    std::cerr << "nlb-console: " << done.error().message << "\n";
    return kUsage;
  }
  return serve(settings);
}
