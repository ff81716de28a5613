// SPDX-License-Identifier: Apache-2.0
#include "lab/console.hh"

#include <fmt/format.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "lab/plan.hh"
#include "lab/process.hh"

namespace nlb::lab {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::seconds kPatience{10};
// The last thing that it says before it serves.
constexpr const char* kToken = "The token is in ";

std::string file_of(const char* name) {
  return lab_root() + "/console/" + name;
}

std::string said() {
  std::ifstream log(file_of("console.log"));
  return {std::istreambuf_iterator<char>(log), {}};
}

Result<std::string> start_at(const std::string& program, const char* port) {
  std::error_code code;
  fs::remove(file_of("console.log"), code);
  const auto started = start_daemon({program, "--runtime-root", lab_root(), "--listen",
                                     fmt::format("127.0.0.1:{}", port), "--token-file", file_of("token")},
                                    "", file_of("console.log"));
  if (!started) return tl::unexpected(started.error());
  if (auto written = write_pid_file(file_of("console.pid"), *started); !written)
    return tl::unexpected(written.error());
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < end) {
    const bool alive = is_alive(*started);
    auto text = said();
    const auto token = text.find(kToken);
    if (token != std::string::npos && text.find('\n', token) != std::string::npos) return text;
    if (!alive) return fail(text);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  end_console();
  return fail("the console does not start: see " + file_of("console.log"));
}

}  // namespace

Result<std::string> start_console() {
  const std::string program = program_beside("nlb-console");
  if (program.empty()) return fail("nlb-console is not there (package opennlb-console)");
  if (!fs::exists(lab_root() + "/lab.json")) return fail("no lab is up: `nlb lab up` makes one");
  if (const auto running = read_pid_file(file_of("console.pid")); running && is_alive(*running))
    return said();
  std::error_code code;
  fs::create_directories(file_of(""), code);
  if (code) return fail(fmt::format("{}: {}", file_of(""), code.message()));
  fs::permissions(file_of(""), fs::perms::owner_all, code);
  auto text = start_at(program, "8420");
  if (!text) text = start_at(program, "0");  // another console has that port
  return text;
}

void end_console() {
  const auto running = read_pid_file(file_of("console.pid"));
  if (!running) return;
  send_signal(*running, SIGTERM);
  if (!wait_gone(*running, 5000)) send_signal(*running, SIGKILL);
}

}  // namespace nlb::lab
