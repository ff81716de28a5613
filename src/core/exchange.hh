// SPDX-License-Identifier: Apache-2.0
// Requests between members and their answers, over frames that get lost, doubled and overtaken. Pure: time,
// frames and what is known of the others come in as arguments. The rules: docs/protocol/administration.md.
//
// At most once: the asking host numbers its exchanges within its incarnation; the asked one hands each number
// over once and keeps the answer, so that a request whose answer was lost is answered again, not done again.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.hh"
#include "base/result.hh"
#include "wire/heartbeat.hh"

namespace nlb::core {

inline constexpr std::size_t kMaxMessageBytes = 1400 * 64;  // asserted against the wire's layout
inline constexpr std::size_t kMaxWaitingRequests = 16;      // of one target, behind the one under way

// Error::code of a request that got no answer. The message is what is to be said of the host: "is not heard".
enum ExchangeFailure : int {
  kNotHeard = 1,    // the host was not heard when it was to be asked: it has been told nothing
  kNoAnswer = 2,    // whether it did what was asked is not known
  kNotPossible = 3  // too long, or too many wait already: it has been told nothing
};

struct MemberRequest {
  HostId from = 0;
  uint64_t incarnation = 0;
  uint32_t number = 0;
  std::string text;
};
struct MemberAnswer {
  uint64_t token = 0;  // the caller's own
  Result<std::string> text;
};

class Exchange {
 public:
  // How a peer is reached at this moment; nullopt = it is not heard.
  struct Line {
    uint64_t incarnation = 0;
    uint32_t newest_heard = 0;  // low 32 bits
  };
  using Lines = std::function<std::optional<Line>(HostId)>;
  struct Output {
    std::vector<wire::MessagePart> sends;  // each to its target
    std::vector<MemberRequest> requests;   // to be answered by answer()
    std::vector<MemberAnswer> answers;     // to what ask() was told
  };

  Exchange(HostId self, uint64_t incarnation, Lines lines)
      : self_(self), incarnation_(incarnation), lines_(std::move(lines)) {}

  // Its host goes on as another incarnation (Host::on_fence): what is under way is answered to nobody.
  void begin_anew(uint64_t incarnation) { incarnation_ = incarnation; }
  Output ask(uint64_t token, HostId target, std::string text, Nanos timeout, Nanos now);
  Output answer(const MemberRequest& to, std::string text, Nanos now);
  // A part that is for this host, of a believed incarnation, and fresh (Host::judge_message).
  Output on_part(const wire::MessagePart& part, Nanos now);
  Output on_tick(Nanos now);
  [[nodiscard]] Nanos next_wakeup() const;

 private:
  // A text in parts, some of which have come (or, going out, have been heard of).
  struct Parts {
    std::vector<std::vector<uint8_t>> chunks;
    uint64_t done = 0;
    [[nodiscard]] bool complete() const;
    [[nodiscard]] std::string text() const;
    bool take(const wire::MessagePart& part);  // false: it does not belong to these
  };
  struct Question {
    uint64_t token = 0;
    std::string text;
    Nanos deadline = 0;
  };
  struct Outgoing {
    uint64_t token = 0, target_incarnation = 0;
    uint32_t number = 0;
    Parts request, answer;
    Nanos deadline = 0, send_at = 0, pause = 0;
  };
  struct Incoming {
    uint64_t incarnation = 0;
    uint32_t number = 0;
    Parts request, answer;
    bool handed_over = false, answered = false;
    Nanos quiet_until = 0, forget_at = 0;
  };
  static Parts split(const std::string& text);
  void begin_next(HostId target, Nanos now, Output& out);
  void finish(HostId target, Result<std::string> text, Nanos now, Output& out);
  void send_request(HostId target, Nanos now, Output& out);
  void send_answer(HostId to, Nanos now, Output& out);
  void hear_request(const wire::MessagePart& part, Nanos now, Output& out);
  void hear_answer(const wire::MessagePart& part, Nanos now, Output& out);
  [[nodiscard]] std::optional<wire::MessagePart> compose(wire::MessagePart::Kind kind, HostId target,
                                                         uint32_t number);
  static void put_missing(const Parts& parts, const wire::MessagePart& form, Output& out);

  HostId self_;
  uint64_t incarnation_;
  Lines lines_;
  uint64_t sequence_ = 0;
  uint32_t number_ = 0;
  std::array<std::optional<Outgoing>, kMaxHosts + 1> outgoing_;  // by target
  std::array<std::deque<Question>, kMaxHosts + 1> waiting_;      // behind it
  std::array<Incoming, kMaxHosts + 1> incoming_;                 // by who asks
};

}  // namespace nlb::core
