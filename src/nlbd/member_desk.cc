// SPDX-License-Identifier: Apache-2.0
#include "nlbd/member_desk.hh"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <nlohmann/json.hpp>

#include "control/control_message.hh"
#include "linux/named_thread.hh"
#include "nlbd/answer.hh"

namespace nlb {
namespace {

namespace asio = boost::asio;
using Json = nlohmann::json;
constexpr int kFailed = 1, kNoDaemon = 3;

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Json> read(const Result<std::string>& text, HostId host) {
  if (!text) return fail(text.error().message, text.error().code == core::kNotPossible ? kFailed : kNoDaemon);
  return read_answer(*text, "host " + std::to_string(host));
}

}  // namespace

void MemberDesk::start(Protocol& protocol) {
  protocol_ = &protocol;
  thread_ = named_thread("nlbd-members", [this] {
    auto guard = asio::make_work_guard(io_);
    io_.run();
  });
}

void MemberDesk::stop() {
  io_.stop();
  if (thread_.joinable()) thread_.join();
}

void MemberDesk::post(std::function<void()> work) {
  asio::post(io_, std::move(work));
}

Json MemberDesk::call(const std::function<Json()>& work) {
  std::packaged_task<Json()> task(work);
  auto done = task.get_future();
  post([&task] { task(); });
  return done.get();
}

void MemberDesk::take(const core::MemberRequest& request) {
  post([this, request] { serve(request); });
}

void MemberDesk::serve(const core::MemberRequest& request) {
  Json parsed = Json::parse(request.text, nullptr, false);
  Json answer;
  try {
    answer =
        parsed.is_object() ? handler_(parsed, request.from) : failure("the request is no JSON object", 2);
  } catch (const Json::exception& error) {
    answer = failure(std::string("an argument of the request has the wrong type: ") + error.what(), 2);
  } catch (const std::exception& error) {
    answer = failure(std::string("internal error: ") + error.what(), kFailed);
  }
  std::string text = text_of(answer);
  if (text.size() > core::kMaxMessageBytes)
    text = text_of(
        failure("the answer is longer than a message between hosts may be; ask for less, or there", kFailed));
  protocol_->answer(request, std::move(text));
}

void MemberDesk::ask(HostId host, const Json& request, Nanos timeout, Answered done) {
  protocol_->ask(host, text_of(request), timeout,
                 [this, host, answered = std::move(done)](const Result<std::string>& text) {
                   post([answered, answer = read(text, host)] { answered(answer); });
                 });
}

std::map<HostId, Result<Json>> MemberDesk::ask_all(HostSet hosts, const Json& request, Nanos timeout) {
  std::map<HostId, std::promise<Result<std::string>>> promises;
  for_each_host(hosts, [&](HostId host) {
    auto& promise = promises[host];
    protocol_->ask(host, text_of(request), timeout,
                   [&promise](const Result<std::string>& text) { promise.set_value(text); });
  });
  std::map<HostId, Result<Json>> answers;
  for (auto& [host, promise] : promises) answers.emplace(host, read(promise.get_future().get(), host));
  return answers;
}

}  // namespace nlb
