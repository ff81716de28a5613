// SPDX-License-Identifier: Apache-2.0
// A line on the control socket of any bytes, at the server and, as a daemon's answer, at the client. The
// handler takes its arguments as the daemons' do: a value of the wrong type is an exception there.
#include <nlohmann/json.hpp>

#include "control/control_message.hh"
#include "require.hh"

namespace {

using nlb::fuzz::require;
using nlohmann::json;

json handle(const json& request, const nlb::Peer& peer) {
  const std::string command = request.value("command", "");
  if (command == "filter")
    return {{"schema", 1}, {"client", request.value("client", "")}, {"port", request.value("port", 0)}};
  if (command == "stop" && !peer.may(nlb::Role::operate)) return nlb::error_answer("not permitted", 4);
  if (command == "events") return {{"schema", 1}, {"since", request.value("since", uint64_t{0})}};
  if (command == "echo") return {{"schema", 1}, {"got", request.value("text", json())}};
  return nlb::error_answer("unknown command \"" + command + "\"", 2);
}

// One line of UTF-8 that says what it is: an answer, or an error with a message and an exit code.
void check_line(const std::string& line) {
  require(!line.empty() && line.find('\n') == line.size() - 1);
  const auto answer = json::parse(line, nullptr, false);
  require(answer.is_object() && answer.value("schema", 0) == 1);
  const auto read = nlb::read_answer(line, "socket");
  require(read.has_value() == !answer.contains("error"));
  if (read) return;
  require(!read.error().message.empty() && read.error().code >= 1 && read.error().code <= 4);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const nlb::Role role : {nlb::Role::read, nlb::Role::admin}) {
    const nlb::Peer peer{1000, 4711, role};
    const auto line = nlb::answer_line(text, handle, peer);
    check_line(line);
    require(line == nlb::answer_line(text + "\n", handle, peer));  // with its end, or without
  }
  const auto answer = nlb::read_answer(text, "socket");
  if (answer) require(answer->is_object());
  if (!answer) require(!answer.error().message.empty() || text.find("message") != std::string::npos);
  return 0;
}
