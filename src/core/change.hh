// SPDX-License-Identifier: Apache-2.0
// A change of the configuration on all hosts or on none (two-phase commit). Pure: the answers of other hosts
// and the time come in, questions to them go out; what outlives a crash is behind ChangeStore.
//
// Prepared means: checked, and lying on that host's disk. When all have prepared, the coordinator writes its
// decision down; from that moment on the change is made, whoever dies. Until then it is not: a coordinator
// that knows nothing of a change answers "aborted" (presumed abort). Who has prepared and hears no outcome
// asks the coordinator, and the others: one that committed or aborted settles it. Where all that are left
// have prepared and the coordinator is silent, they wait with the old configuration in force; only when an
// administrator has the coordinator forgotten for good do they abort.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/net.hh"
#include "base/result.hh"

namespace nlb::core {

enum class ChangeState : uint8_t { unknown, prepared, committed, aborted };
[[nodiscard]] const char* name_of(ChangeState state);

struct ChangeOrder {
  std::string id;  // unique for ever; holds the coordinator's incarnation
  HostId coordinator = 0;
  HostSet members = 0;  // with the coordinator
  std::string what;     // means something to the store alone
  bool operator==(const ChangeOrder&) const = default;
};

struct ChangeMessage {
  enum class Verb : uint8_t { prepare, commit, abort, outcome };
  Verb verb = Verb::prepare;
  ChangeOrder order;
};
struct ChangeReply {
  ChangeState state = ChangeState::unknown;
  std::string text;  // prepared: what the configuration would be; aborted: why
};

struct ChangeRecord {  // what a host knows after a crash
  struct Ended {
    ChangeOrder order;
    bool committed = false;
    HostSet unconfirmed = 0;  // at the coordinator: who has not said yet that it is in force there
    bool operator==(const Ended&) const = default;
  };
  std::vector<ChangeOrder> prepared;  // one at most: staged here, its outcome is not known
  std::vector<Ended> ended;           // the newest last
  bool operator==(const ChangeRecord&) const = default;
};

class ChangeStore {
 public:
  virtual ~ChangeStore() = default;
  // Checks the change and puts the new configuration on the disk, beside the one in force. Returns what the
  // members must agree on, as text.
  [[nodiscard]] virtual Result<std::string> stage(const ChangeOrder& order) = 0;
  // In its place and in force; also when it is already. False: it could not be put in its place; tried again.
  [[nodiscard]] virtual bool apply(const ChangeOrder& order) = 0;
  virtual void discard(const ChangeOrder& order) = 0;                       // also when nothing is staged
  [[nodiscard]] virtual Result<void> save(const ChangeRecord& record) = 0;  // durable when it returns
};

class ClusterChange {
 public:
  struct Ask {
    HostId to = 0;
    ChangeMessage message;
  };
  struct End {  // of the change that begin() began
    bool committed = false;
    std::string id;
    std::map<HostId, std::string> reasons;  // why not, host by host
    HostSet unconfirmed = 0;                // committed, but these have not said so yet
  };
  struct Output {
    std::vector<Ask> asks;  // each ends in on_reply() or on_silence()
    std::vector<End> ends;
  };

  // After each call, once its asks are sent: a coordinator's own part of a decision, so that the others do
  // not wait for it.
  Output settle_own();
  // `record` is what was saved last.
  ClusterChange(HostId self, ChangeStore& store, ChangeRecord record);
  // Settles at the start what this host alone can settle.
  Output resume(Nanos now);
  Output begin(const ChangeOrder& order, Nanos now);
  [[nodiscard]] ChangeReply on_message(const ChangeMessage& message, Nanos now);
  Output on_reply(HostId from, const ChangeMessage& asked, const ChangeReply& reply, Nanos now);
  Output on_silence(HostId from, const ChangeMessage& asked, const std::string& why, Nanos now);
  Output on_tick(Nanos now);
  void forget(HostId host) { forgotten_ |= bit_of(host); }

  [[nodiscard]] const ChangeRecord& record() const { return record_; }
  [[nodiscard]] bool in_doubt() const { return !record_.prepared.empty() && !running_; }

 private:
  struct Running {
    ChangeOrder order;
    HostSet awaited = 0;
    bool decided = false;
    std::string agreed;
    std::map<HostId, std::string> reasons;
    HostSet unconfirmed = 0;
    bool own_due = false;  // decided, and not yet in force here
  };
  [[nodiscard]] ChangeReply prepare(const ChangeOrder& order, Nanos now);
  void settle(const ChangeOrder& order, bool committed);
  [[nodiscard]] ChangeRecord::Ended* ended(const std::string& id);
  void remember_end(const ChangeOrder& order, bool committed, HostSet unconfirmed);
  void all_have_voted(Output& out);
  void confirm(HostId from, const std::string& id);
  void end(Output& out, bool committed);
  void ask_all(HostSet hosts, ChangeMessage::Verb verb, const ChangeOrder& order, Output& out) const;
  void hear_of_outcome(HostId from, ChangeState state);

  HostId self_;
  ChangeStore& store_;
  ChangeRecord record_;
  std::optional<Running> running_;  // at the coordinator
  HostSet forgotten_ = 0, doubt_answers_ = 0;
  Nanos prepared_at_ = 0, ask_at_ = 0, confirm_at_ = 0;
};

}  // namespace nlb::core
