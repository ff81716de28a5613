// SPDX-License-Identifier: Apache-2.0
#include "metrics/endpoint.hh"

#include <chrono>
#include <mutex>

#include "metrics/exposition.hh"

namespace nlb {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kAgeToCollectAnew = std::chrono::milliseconds(200);
constexpr std::size_t kMostConnections = 16;

http::Options options_of(const Endpoint& listen) {
  http::Options options;
  options.address = listen.address.text();
  options.port = listen.port;
  options.limits.header_bytes = 4096;
  options.limits.body_bytes = 0;
  options.limits.connections = kMostConnections;
  options.limits.request = options.limits.write = std::chrono::seconds(5);
  return options;
}

http::Answer refusal(unsigned status, const char* text) {
  http::Answer answer;
  answer.status = status;
  answer.body = text;
  return answer;
}

}  // namespace

class MetricsEndpoint::Page {
 public:
  explicit Page(Collect collect) : collect_(std::move(collect)) {}

  http::Answer answer(const http::Request& request) {
    if (request.method != "GET" && request.method != "HEAD") {
      auto wrong = refusal(405, "only GET\n");
      wrong.headers.emplace_back("Allow", "GET, HEAD");
      return wrong;
    }
    if (request.path != "/metrics") return refusal(404, "see /metrics\n");
    http::Answer answer;
    answer.type = Exposition::kContentType;
    try {
      answer.body = text();
    } catch (const std::exception& error) {  // the daemon goes on whatever becomes of a scrape
      return refusal(500, error.what());
    }
    return answer;
  }

 private:
  std::string text() {
    const std::lock_guard lock(mutex_);
    if (text_.empty() || Clock::now() - collected_ >= kAgeToCollectAnew) {
      text_ = collect_();
      collected_ = Clock::now();
    }
    return text_;
  }

  Collect collect_;
  std::mutex mutex_;
  std::string text_;
  Clock::time_point collected_;
};

MetricsEndpoint::MetricsEndpoint(Collect collect) : page_(std::make_shared<Page>(std::move(collect))) {}
MetricsEndpoint::~MetricsEndpoint() = default;

Result<void> MetricsEndpoint::follow(const std::optional<Endpoint>& listen) {
  if (listen == listen_) return {};
  server_.reset();
  listen_.reset();
  if (!listen) return {};
  auto server = http::Server::listen(
      options_of(*listen), [page = page_](const http::Request& request) { return page->answer(request); });
  if (!server) return tl::unexpected(server.error());
  server_ = std::move(*server);
  listen_ = listen;
  return {};
}

}  // namespace nlb
