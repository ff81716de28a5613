// SPDX-License-Identifier: Apache-2.0
#include "lab/stage.hh"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "lab/guarded_switch.hh"
#include "lab/machine.hh"

namespace nlb::lab {
namespace {

using nlohmann::json;

constexpr std::size_t kWidth = 118;

std::vector<std::string> with(std::vector<std::string> first, const std::vector<std::string>& rest) {
  first.insert(first.end(), rest.begin(), rest.end());
  return first;
}

Finished finished(const Result<Finished>& result) {
  return result ? *result : Finished{127, result.error().message};
}

// One document, or one a line (`nlb events --json`).
json documents(const std::string& text) {
  auto whole = json::parse(text, nullptr, false);
  if (!whole.is_discarded()) return whole;
  json list = json::array();
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    auto one = json::parse(line, nullptr, false);
    if (one.is_object()) list.push_back(std::move(one));
  }
  return list;
}

std::string paint(const std::string& text, const char* code) {
  static const bool colour = isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  return colour ? fmt::format("\033[{}m{}\033[0m", code, text) : text;
}

bool begins_with_one_of(const std::string& line, const std::vector<std::string>& beginnings) {
  const auto start = line.find_first_not_of(' ');
  if (start == std::string::npos) return false;
  return beginnings.empty() || std::any_of(beginnings.begin(), beginnings.end(), [&](const auto& beginning) {
           return line.compare(start, beginning.size(), beginning) == 0;
         });
}

// A long line goes on below, indented; broken at blanks.
void print_folded(const std::string& line, const std::string& indent) {
  std::string rest = line, margin = indent;
  while (rest.size() + margin.size() > kWidth) {
    auto at = rest.rfind(' ', kWidth - margin.size());
    if (at == std::string::npos || at < kWidth / 2) at = std::min(rest.size(), kWidth - margin.size());
    fmt::print("{}{}\n", margin, rest.substr(0, at));
    rest.erase(0, rest.find_first_not_of(' ', at) == std::string::npos ? rest.size()
                                                                       : rest.find_first_not_of(' ', at));
    margin = indent + "    ";
  }
  if (!rest.empty()) fmt::print("{}{}\n", margin, rest);
}

}  // namespace

Finished Stage::on(const Node& node, const std::vector<std::string>& command) const {
  if (is_machine(node.host_id)) return finished(run_in_machine(node.host_id, command));
  return finished(run(command, "", node.network));
}

std::future<Finished> Stage::beside(const Node& node, const std::vector<std::string>& command) const {
  return std::async(std::launch::async, [this, node, command] { return on(node, command); });
}

Finished Stage::nlb(unsigned host, const std::vector<std::string>& words) const {
  return finished(run(with({own_program(), "--socket", control_socket(host)}, words)));
}

Finished Stage::vmswitch(const std::vector<std::string>& words) const {
  return finished(run(with({own_program(), "vmswitch", "--socket", switch_socket()}, words)));
}

Finished Stage::lab(const std::vector<std::string>& words) const {
  return finished(run(with({own_program(), "lab"}, words)));
}

json Stage::nlb_json(unsigned host, const std::vector<std::string>& words) const {
  const auto done = nlb(host, with({"--json"}, words));
  return done.exit_code == 0 ? documents(done.output) : json();
}

json Stage::vmswitch_json(const std::vector<std::string>& words) const {
  const auto done = vmswitch(with({"--json"}, words));
  return done.exit_code == 0 ? documents(done.output) : json();
}

double Stage::wait_for(const std::function<bool()>& is_so, double seconds) {
  const auto begin = std::chrono::steady_clock::now();
  const auto passed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  while (!is_so()) {
    if (passed() > seconds) return -1;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return passed();
}

void Stage::title(const std::string& text) const {
  if (!quiet_) fmt::print("\n{}\n", paint(text, "1"));
  std::fflush(stdout);
}

void Stage::say(const std::string& text) const {
  if (!quiet_) print_folded(text, "   ");
}

void Stage::show(const std::string& command, const std::string& output,
                 const std::vector<std::string>& beginnings) const {
  if (quiet_) return;
  fmt::print("   {}\n", paint("$ " + command, "36"));
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);)
    if (begins_with_one_of(line, beginnings)) print_folded(line, "     ");
}

void Stage::claim(int symptom, const std::string& text, bool holds, const std::string& seen) {
  claims_.push_back({symptom, text, holds, seen});
  if (quiet_) return;
  print_folded(fmt::format("{} {}{}", holds ? "✓" : "✗", text, seen.empty() ? "" : " (" + seen + ")"), "   ");
  std::fflush(stdout);
}

}  // namespace nlb::lab
