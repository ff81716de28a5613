// SPDX-License-Identifier: Apache-2.0
// Where Prometheus asks: GET /metrics over HTTP, off unless an address is configured.
//
// Whoever may connect may ask as often as it likes, slowly, or not at all; the daemon behind must not notice.
// So there are few connections, each with a time limit; one collection at a time, on an ordinary thread; and
// a text is given out again for a while before values are read anew.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/net.hh"
#include "base/result.hh"
#include "http/server.hh"

namespace nlb {

class MetricsEndpoint {
 public:
  using Collect = std::function<std::string()>;  // on the endpoint's thread
  explicit MetricsEndpoint(Collect collect);
  ~MetricsEndpoint();

  // Listens there from now on, nullopt = nowhere. Cheap when that is so already. An error: it listens
  // nowhere, and it may be tried again. Waits for a collection that is under way: hold no lock that it takes.
  [[nodiscard]] Result<void> follow(const std::optional<Endpoint>& listen);

 private:
  class Page;
  std::shared_ptr<Page> page_;
  std::optional<Endpoint> listen_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace nlb
