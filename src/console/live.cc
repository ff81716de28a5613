// SPDX-License-Identifier: Apache-2.0
#include "console/live.hh"

namespace nlb::console {
namespace {

std::shared_ptr<const std::string> frame(const char* event, const nlohmann::json& message) {
  const auto text = message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return std::make_shared<const std::string>(std::string("event: ") + event + "\ndata: " + text + "\n\n");
}

}  // namespace

bool Live::admit() {
  const std::lock_guard lock(mutex_);
  std::erase_if(streams_, [](const auto& stream) { return stream->closed(); });
  return streams_.size() < kMost;
}

void Live::join(std::shared_ptr<http::Stream> stream) {
  const std::lock_guard lock(mutex_);
  static const auto opening = std::make_shared<const std::string>("retry: 2000\n\n");
  stream->push(opening);
  for (const auto& [target, bytes] : states_) stream->push(bytes);
  streams_.push_back(std::move(stream));
}

void Live::state(const std::string& target, const nlohmann::json& message) {
  const auto bytes = frame("state", message);
  const std::lock_guard lock(mutex_);
  states_[target] = bytes;
  send(bytes);
}

void Live::pass(const char* event, const nlohmann::json& message) {
  const auto bytes = frame(event, message);
  const std::lock_guard lock(mutex_);
  send(bytes);
}

void Live::send(const Bytes& bytes) {
  std::erase_if(streams_, [](const auto& stream) { return stream->closed(); });
  for (const auto& stream : streams_) stream->push(bytes);
}

}  // namespace nlb::console
