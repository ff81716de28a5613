// SPDX-License-Identifier: Apache-2.0
#include "control/control_message.hh"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace nlb {
namespace {

constexpr int kFailed = 1;
constexpr double kLargestFraction = 1e9;

// Where a handler asks for an integer, a number that no integer holds would become one by a conversion that
// C++ leaves undefined.
bool has_number_beyond_integers(const nlohmann::json& request) {
  return std::any_of(request.begin(), request.end(), [](const auto& value) {
    return value.is_number_float() && !(std::abs(value.template get<double>()) <= kLargestFraction);
  });
}

// A handler that trips over a wrong type in the request must not take the daemon with it.
nlohmann::json handled(const nlohmann::json& request, const ControlServer::Handler& handler,
                       const Peer& peer) {
  try {
    return handler(request, peer);
  } catch (const nlohmann::json::exception& error) {
    return error_answer(std::string("an argument of the request has the wrong type: ") + error.what(), 2);
  } catch (const std::exception& error) {
    return error_answer(std::string("internal error: ") + error.what(), 1);
  }
}

}  // namespace

nlohmann::json error_answer(const std::string& message, int exit) {
  return {{"schema", 1}, {"error", {{"message", message}, {"exit", exit}}}};
}

std::string to_line(const nlohmann::json& message) {
  return message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string answer_line(std::string_view line, const ControlServer::Handler& handler, const Peer& peer) {
  const auto request = nlohmann::json::parse(line, nullptr, false);
  if (!request.is_object()) return to_line(error_answer("the request is not a JSON object in one line", 2));
  if (has_number_beyond_integers(request))
    return to_line(error_answer("a number of the request is too large", 2));
  return to_line(handled(request, handler, peer));
}

bool request_is(std::string_view line, const ControlServer::Waits& waits) {
  if (!waits) return false;
  const auto request = nlohmann::json::parse(line, nullptr, false);
  return request.is_object() && waits(request);
}

Result<nlohmann::json> read_answer(const std::string& text, const std::string& path) {
  auto answer = nlohmann::json::parse(text, nullptr, false);
  if (!answer.is_object()) return fail(path + ": the answer is not a JSON object", kFailed);
  const auto error = answer.find("error");
  if (error == answer.end() || !error->is_object()) return answer;
  const auto message = error->find("message");
  const auto code = error->find("exit");
  return fail(message != error->end() && message->is_string() ? message->get<std::string>()
                                                              : "the daemon gave no reason",
              code != error->end() && code->is_number_integer() ? code->get<int>() : kFailed);
}

}  // namespace nlb
