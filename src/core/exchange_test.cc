// SPDX-License-Identifier: Apache-2.0
// Requests and answers over a wire that loses, doubles and delays: every case runs through many seeds, and
// what must hold is counted, never timed.
#include "core/exchange.hh"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace nlb::core {
namespace {

constexpr Nanos kStep = kMillisecond, kPatience = 3 * kSecond;

// Two hosts and the wire between them. Host 2 answers a request with the text it got, reversed, after a
// while.
class Wire {
 public:
  explicit Wire(uint32_t seed, unsigned loss_percent = 0) : random_(seed), loss_(loss_percent) {
    for (HostId id : {HostId{1}, HostId{2}}) boot(id);
  }

  void boot(HostId id) {
    incarnations_[id] = ++last_incarnation_;
    hosts_[id] = std::make_unique<Exchange>(id, incarnations_[id], [this](HostId to) {
      return std::optional<Exchange::Line>(
          unheard_ == to ? std::nullopt : std::optional(Exchange::Line{incarnations_[to], 0}));
    });
  }

  void ask(uint64_t token, const std::string& text) {
    take(1, hosts_[1]->ask(token, 2, text, kPatience, now_));
  }

  void run(Nanos time) {
    for (const Nanos end = now_ + time; now_ < end; now_ += kStep) {
      deliver_due();
      for (auto at = work_.begin(); at != work_.end() && at->first <= now_; at = work_.erase(at)) {
        const MemberRequest& request = at->second;
        if (answers_) take(2, hosts_[2]->answer(request, {request.text.rbegin(), request.text.rend()}, now_));
      }
      for (auto& [id, host] : hosts_)
        if (now_ >= host->next_wakeup()) take(id, host->on_tick(now_));
    }
  }

  void deliver_due() {
    while (!frames_.empty() && frames_.begin()->first <= now_) {
      const wire::MessagePart part = frames_.begin()->second;
      frames_.erase(frames_.begin());
      if (part.target_incarnation == incarnations_[part.target])  // as Host::judge_message
        take(part.target, hosts_[part.target]->on_part(part, now_));
    }
  }

  void take(HostId from, Exchange::Output output) {
    for (const auto& part : output.sends) {
      ++sent_;
      if (below(100) < loss_) continue;
      const unsigned copies = loss_ > 0 && below(10) == 0 ? 2 : 1;
      for (unsigned copy = 0; copy < copies; ++copy)
        frames_.emplace(now_ + (1 + (loss_ > 0 ? below(30) : 0)) * kStep, part);
    }
    for (const auto& request : output.requests) {
      ++done_[request.text];
      work_.emplace(now_ + below(200) * kStep, request);
    }
    for (const auto& answer : output.answers) answered_.emplace(answer.token, answer.text);
    EXPECT_TRUE(output.answers.empty() || from == 1);
  }

  unsigned below(unsigned bound) { return std::uniform_int_distribution<unsigned>(0, bound - 1)(random_); }

  std::mt19937 random_;
  unsigned loss_ = 0, sent_ = 0;
  bool answers_ = true;
  HostId unheard_ = 0;
  uint64_t last_incarnation_ = 0;
  Nanos now_ = kSecond;
  std::map<HostId, std::unique_ptr<Exchange>> hosts_;
  std::map<HostId, uint64_t> incarnations_;
  std::multimap<Nanos, wire::MessagePart> frames_;
  std::multimap<Nanos, MemberRequest> work_;
  std::map<std::string, int> done_;
  std::multimap<uint64_t, Result<std::string>> answered_;
};

std::string long_text(std::size_t bytes, char first) {
  std::string text(bytes, first);
  for (std::size_t at = 0; at < bytes; at += 97) text[at] = static_cast<char>('0' + at % 10);
  return text;
}

TEST(Exchange, AnswersWhatWasAskedInAFewFrames) {
  Wire wire(1);
  wire.answers_ = true;
  wire.ask(7, "query");
  wire.run(kSecond);
  ASSERT_EQ(wire.answered_.count(7), 1u);
  EXPECT_EQ(wire.answered_.find(7)->second.value(), "yreuq");
  EXPECT_LE(wire.sent_, 10u);
}

TEST(Exchange, LossDoublingAndOvertakingChangeNothing) {
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    Wire wire(seed, 30);
    std::map<uint64_t, std::string> asked;
    for (uint64_t token = 1; token <= 4; ++token) {
      asked[token] = long_text(1 + wire.below(9000), static_cast<char>('a' + token));
      wire.ask(token, asked[token]);
    }
    wire.run(5 * kPatience);
    for (const auto& [token, text] : asked) {
      ASSERT_EQ(wire.answered_.count(token), 1u) << "seed " << seed;
      const auto& answer = wire.answered_.find(token)->second;
      if (answer) {
        EXPECT_EQ(*answer, std::string(text.rbegin(), text.rend())) << "seed " << seed;
      }
      EXPECT_LE(wire.done_[text], 1) << "done twice, seed " << seed;
      EXPECT_TRUE(!answer || wire.done_[text] == 1) << "seed " << seed;
    }
  }
}

TEST(Exchange, TheLongestTextFitsAndALongerOneIsRefused) {
  Wire wire(3, 10);
  wire.ask(1, long_text(kMaxMessageBytes, 'm'));
  wire.ask(2, long_text(kMaxMessageBytes + 1, 'm'));
  wire.run(kPatience);
  EXPECT_TRUE(wire.answered_.find(1)->second.has_value());
  EXPECT_EQ(wire.answered_.find(2)->second.error().code, kNotPossible);
}

// What has come is not sent again: 64 parts each way, of which a third is lost, cost about 96 each.
TEST(Exchange, OnlyWhatIsMissingIsSentAgain) {
  unsigned sent = 0;
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    Wire wire(seed, 30);
    wire.ask(1, long_text(kMaxMessageBytes, 'm'));
    wire.run(kPatience);
    sent += wire.sent_;
  }
  EXPECT_LT(sent / 20, 260u);
}

TEST(Exchange, AHostThatIsNotHeardIsNotAsked) {
  Wire wire(4);
  wire.unheard_ = 2;
  wire.ask(1, "stop");
  EXPECT_EQ(wire.answered_.find(1)->second.error().code, kNotHeard);
  EXPECT_EQ(wire.sent_, 0u);
}

TEST(Exchange, SilenceEndsAtTheDeadlineAndSoDoesANewLife) {
  Wire wire(5);
  wire.answers_ = false;
  wire.ask(1, "stop");
  wire.run(kPatience / 2);
  EXPECT_EQ(wire.answered_.size(), 0u);
  wire.run(kPatience);
  EXPECT_EQ(wire.answered_.find(1)->second.error().code, kNoAnswer);
  wire.ask(2, "stop");
  wire.run(100 * kMillisecond);
  wire.boot(2);
  wire.run(kSecond);
  EXPECT_EQ(wire.answered_.find(2)->second.error().code, kNoAnswer);
  EXPECT_NE(wire.answered_.find(2)->second.error().message.find("started anew"), std::string::npos);
}

TEST(Exchange, ARecordedRequestIsNeverDoneAgain) {
  Wire wire(6);
  std::vector<wire::MessagePart> recorded;
  wire.ask(1, "drain");
  for (const auto& [at, part] : wire.frames_) recorded.push_back(part);
  wire.run(kSecond);
  wire.ask(2, "start");
  wire.run(kSecond);
  for (int again = 0; again < 100; ++again)
    for (const auto& part : recorded) wire.frames_.emplace(wire.now_ + again * kStep, part);
  wire.run(kSecond);
  EXPECT_EQ(wire.done_["drain"], 1);
  wire.run(100 * kSecond);  // answers are forgotten by now; that they were given is not
  wire.boot(2);
  for (const auto& part : recorded) wire.frames_.emplace(wire.now_, part);
  wire.run(kSecond);
  EXPECT_EQ(wire.done_["drain"], 1);
}

TEST(Exchange, WhoAsksTooMuchIsToldSo) {
  Wire wire(7);
  wire.answers_ = false;
  for (uint64_t token = 1; token <= 40; ++token) wire.ask(token, "query");
  std::size_t refused = 0;
  for (const auto& [token, text] : wire.answered_) refused += !text && text.error().code == kNotPossible;
  EXPECT_EQ(refused, 40 - 1 - kMaxWaitingRequests);
}

}  // namespace
}  // namespace nlb::core
