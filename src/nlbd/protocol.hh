// SPDX-License-Identifier: Apache-2.0
// The protocol thread: feeds the core with frames and time, carries out its actions. Real-time, memory
// locked; it never waits for anything but its own descriptors. Other threads speak to it with call().
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.hh"
#include "core/exchange.hh"
#include "core/host.hh"
#include "datapath/datapath.hh"
#include "linux/frame_socket.hh"
#include "nlbd/steering_speaker.hh"
#include "wire/codec.hh"

namespace nlb {

struct ProtocolSetup {
  core::Settings settings;
  KeySet keys;
  std::string cluster_name;
  IpAddress primary_vip;
  std::string interface;
  MacAddress source_mac;  // of our frames: the adapter's own, or the masked one under `replace`
  MacAddress cluster_mac;
  MacAddress group;
  IpAddress dedicated_ip6;  // in front of heartbeats that are carried in IPv6; :: = none
  std::string resume_path;  // of what a daemon leaves its successor; "" = nothing, and start anew
};

struct ProtocolCounters {
  uint64_t sent = 0, received = 0;
  std::array<uint64_t, wire::kRefusalCount> refused{};  // by the codec and by the core
  std::array<MacAddress, wire::kRefusalCount>
      refused_from{};  // Ethernet source of the newest one of each kind
};

class Protocol {
 public:
  // Called on the protocol thread; must be quick.
  using NoticeSink = std::function<void(const core::Notice&)>;
  using RequestSink = std::function<void(const core::MemberRequest&)>;

  [[nodiscard]] static Result<std::unique_ptr<Protocol>> start(const ProtocolSetup& setup, Datapath& datapath,
                                                               SteeringSpeaker& speaker, NoticeSink sink,
                                                               RequestSink requests);
  virtual ~Protocol() = default;  // stops and joins
  // This daemon goes on in the view of the one before it, and takes for granted that the bind is in force.
  [[nodiscard]] virtual bool resumed() const = 0;

  // Runs `work` on the protocol thread with the core and the present time; carries out what it returns;
  // waits.
  using Work = std::function<core::Actions(core::Host&, Nanos now)>;
  virtual void call(const Work& work) = 0;
  virtual void inspect(const std::function<void(const core::Host&, Nanos now)>& look) = 0;
  // Asks another member; `done` is called once, on the protocol thread. Returns at once.
  using Answered = std::function<void(Result<std::string>)>;
  virtual void ask(HostId target, std::string text, Nanos timeout, Answered done) = 0;
  virtual void answer(const core::MemberRequest& to, std::string text) = 0;
  // New keys or another source MAC, without a gap.
  virtual void use_keys(const KeySet& keys) = 0;
  virtual void use_source(const MacAddress& source) = 0;
  virtual void use_address6(const IpAddress& dedicated_ip6) = 0;
  [[nodiscard]] virtual ProtocolCounters counters() = 0;
  // The newest scan of the live connections.
  [[nodiscard]] virtual LiveConnections last_scan() = 0;
  // Of last_scan(), or newer: those that are translated and have no socket here.
  [[nodiscard]] virtual LiveConnections translated_connections() = 0;
  // When a translated connection with a VIP was last seen; 0 = never.
  [[nodiscard]] virtual Nanos translated_seen_at() const = 0;
  // Known when the first call() has returned.
  [[nodiscard]] virtual std::string not_realtime_because() const = 0;
};

}  // namespace nlb
