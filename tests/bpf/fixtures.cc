// SPDX-License-Identifier: Apache-2.0
#include "fixtures.hh"

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <cctype>

#include "heartbeats.hh"

namespace nlb::test {
namespace {

uint32_t xdp_return(nlb_action action) {
  return action == NLB_ACTION_DROP ? XDP_DROP : XDP_PASS;
}

uint32_t tc_return(nlb_action action) {
  switch (action) {
    case NLB_ACTION_DROP:
    case NLB_ACTION_DROP_LATE:
      return TC_ACT_SHOT;
    case NLB_ACTION_ANSWER:
      return TC_ACT_REDIRECT;
    default:
      return static_cast<uint32_t>(TC_ACT_UNSPEC);
  }
}

void arrange(const Fixture& fixture, Harness& bpf) {
  Arrangement arrangement;
  fixture.arrange(arrangement);
  bpf.configure(arrangement.config);
  bpf.set_all_buckets(arrangement.buckets);
  for (const auto& [slot, state] : arrangement.slots) bpf.set_buckets(slot, state);
  bpf.set_lease(arrangement.lease);
  bpf.forget();
  bpf.set_budgets(arrangement.budgets_spent);
  bpf.heartbeats().set_keys(std::array{tag_key()});
  bpf.heartbeats().forget_senders();
  bpf.heartbeats().believe(kBelieved.id, kBelieved.incarnation, kBelieved.sequence);
}

void check(const Fixture& fixture, Hook hook) {
  Harness& bpf = harness();
  arrange(fixture, bpf);
  for (const Frame& frame : fixture.before) bpf.run(hook, frame);
  const Outcome outcome = bpf.run(hook, fixture.frame);
  if (outcome.refused && hook != Hook::xdp) return;
  const nlb_action action = action_of(fixture.verdict);
  EXPECT_EQ(verdict_name(outcome.verdict), verdict_name(fixture.verdict)) << hook_name(hook);
  EXPECT_EQ(outcome.returned, hook == Hook::xdp ? xdp_return(action) : tc_return(action)) << hook_name(hook);
  if (hook == Hook::xdp && action != NLB_ACTION_DROP) {
    EXPECT_EQ(outcome.handed, uint32_t{fixture.verdict});
  }
  if (hook == Hook::ingress) {
    EXPECT_EQ(outcome.mark, action == NLB_ACTION_ASK      ? NLB_MARK | NLB_MARK_ASK
                            : action == NLB_ACTION_ACCEPT ? NLB_MARK
                                                          : 0U);
  }
  const bool rewritten = hook == Hook::ingress && action == NLB_ACTION_ANSWER;
  if (!rewritten) {
    EXPECT_EQ(outcome.frame, fixture.frame) << hook_name(hook) << " changed the frame";
  }
}

void check_model(const Fixture& fixture) {
  Arrangement arrangement;
  fixture.arrange(arrangement);
  FilterModel model(arrangement.config);
  SlotStates states;
  for (std::size_t slot = 0; slot < kMaxSlots; ++slot) {
    states.fill(arrangement.buckets);
    for (const auto& [other, state] : arrangement.slots) {
      if (other == slot) states.fill(state);
    }
    model.set_buckets(slot, states);
  }
  model.set_lease(arrangement.lease);
  model.set_heartbeat_keys({tag_key()});
  model.believe_sender(kBelieved.id, kBelieved.incarnation, kBelieved.sequence);
  if (arrangement.budgets_spent) model.spend_budgets();
  for (const Frame& frame : fixture.before) static_cast<void>(model.judge(frame, boot_now()));
  EXPECT_EQ(verdict_name(model.judge(fixture.frame, boot_now())), verdict_name(fixture.verdict)) << "model";
}

}  // namespace

std::string fixture_name(const testing::TestParamInfo<Fixture>& info) {
  std::string name = info.param.sentence;
  for (char& letter : name) {
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0) letter = '_';
  }
  return name;
}

void run_fixture(const Fixture& fixture) {
  check(fixture, Hook::xdp);
  check(fixture, Hook::ingress);
  check_model(fixture);
}

}  // namespace nlb::test
