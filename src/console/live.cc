// SPDX-License-Identifier: Apache-2.0
#include "console/live.hh"

namespace nlb::console {
namespace {

std::shared_ptr<const std::string> frame(const char* event, const nlohmann::json& message) {
  const auto text = message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return std::make_shared<const std::string>(std::string("event: ") + event + "\ndata: " + text + "\n\n");
}

}  // namespace

void Live::sweep() {
  std::erase_if(onlookers_, [](const Onlooker& one) { return one.stream->closed(); });
}

Live::Place Live::admit() {
  const std::lock_guard lock(mutex_);
  sweep();
  if (*taken_ >= kMost) return nullptr;
  ++*taken_;
  return {taken_.get(), [taken = taken_](void*) { --*taken; }};
}

void Live::join(std::shared_ptr<http::Stream> stream, Place place) {
  const std::lock_guard lock(mutex_);
  static const auto opening = std::make_shared<const std::string>("retry: 2000\n\n");
  stream->push(opening);
  for (const auto& [target, bytes] : states_) stream->push(bytes);
  onlookers_.push_back({std::move(stream), std::move(place)});
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
  sweep();
  for (const auto& one : onlookers_) one.stream->push(bytes);
}

}  // namespace nlb::console
