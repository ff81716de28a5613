// SPDX-License-Identifier: Apache-2.0
// What members ask this host, and what this host asks them (docs/protocol/administration.md): JSON over the
// exchange of the protocol thread. One thread of its own does what others ask for, in order, so that neither
// heartbeats nor the control socket wait for it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <thread>

#include "base/result.hh"
#include "nlbd/protocol.hh"

namespace nlb {

class MemberDesk {
 public:
  using Handler = std::function<nlohmann::json(const nlohmann::json& request, HostId from)>;
  explicit MemberDesk(Handler handler) : handler_(std::move(handler)) {}
  ~MemberDesk() { stop(); }
  MemberDesk(const MemberDesk&) = delete;
  MemberDesk& operator=(const MemberDesk&) = delete;

  // Before this, what comes in waits. The protocol must outlive the time until stop().
  void start(Protocol& protocol);
  void stop();
  // On any thread.
  void take(const core::MemberRequest& request);
  void post(std::function<void()> work);
  // Runs `work` on this desk's thread and waits; what it throws is thrown here. Not on that thread itself.
  [[nodiscard]] nlohmann::json call(const std::function<nlohmann::json()>& work);

  // `done` is called on this desk's thread. Error::code: an exit code of the outside contract.
  using Answered = std::function<void(Result<nlohmann::json>)>;
  void ask(HostId host, const nlohmann::json& request, Nanos timeout, Answered done);
  // Waits for all; not on this desk's thread.
  [[nodiscard]] std::map<HostId, Result<nlohmann::json>> ask_all(HostSet hosts, const nlohmann::json& request,
                                                                 Nanos timeout);

 private:
  void serve(const core::MemberRequest& request);

  Handler handler_;
  Protocol* protocol_ = nullptr;
  boost::asio::io_context io_{1};
  std::thread thread_;
};

}  // namespace nlb
