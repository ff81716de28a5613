// SPDX-License-Identifier: Apache-2.0
#include "core/exchange.hh"

#include <algorithm>
#include <cassert>

#include "wire/layout.hh"

namespace nlb::core {
namespace {

static_assert(kMaxMessageBytes == wire::kMaxChunkBytes * wire::kMaxMessageParts);

constexpr Nanos kFirstPause = 40 * kMillisecond, kLongestPause = 320 * kMillisecond;
constexpr Nanos kSoon = 5 * kMillisecond;    // the rest of an answer, of which a part has come
constexpr Nanos kQuiet = 10 * kMillisecond;  // between two answers to one peer: bounds what it can provoke
constexpr Nanos kAnswerKept = 60 * kSecond;

}  // namespace

bool Exchange::Parts::complete() const {
  const std::size_t count = chunks.size();
  return count != 0 && done == (count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1);
}

std::string Exchange::Parts::text() const {
  std::string text;
  for (const auto& chunk : chunks) text.append(chunk.begin(), chunk.end());
  return text;
}

bool Exchange::Parts::take(const wire::MessagePart& part) {
  if (chunks.empty()) chunks.resize(part.parts);
  if (chunks.size() != part.parts) return false;
  const uint64_t bit = uint64_t{1} << part.part;
  if (!(done & bit)) chunks[part.part] = part.data;
  done |= bit;
  return true;
}

Exchange::Parts Exchange::split(const std::string& text) {
  Parts parts;
  for (std::size_t at = 0; at == 0 || at < text.size(); at += wire::kMaxChunkBytes) {
    const auto chunk = std::string_view(text).substr(at, wire::kMaxChunkBytes);
    parts.chunks.emplace_back(chunk.begin(), chunk.end());
  }
  return parts;
}

std::optional<wire::MessagePart> Exchange::compose(wire::MessagePart::Kind kind, HostId target,
                                                   uint32_t number) {
  const auto line = lines_(target);
  if (!line) return std::nullopt;
  wire::MessagePart part;
  part.header = {self_, incarnation_, ++sequence_};
  part.kind = kind;
  part.target = target;
  part.target_incarnation = line->incarnation;
  part.echo = line->newest_heard;
  part.number = number;
  return part;
}

void Exchange::put_missing(const Parts& parts, const wire::MessagePart& form, Output& out) {
  const bool poll = parts.complete();  // all is there: one part asks how it stands
  for (std::size_t index = 0; index < parts.chunks.size(); ++index) {
    if (poll ? index != 0 : (parts.done >> index & 1) != 0) continue;
    wire::MessagePart part = form;
    part.part = static_cast<uint8_t>(index);
    part.parts = static_cast<uint8_t>(parts.chunks.size());
    part.data = parts.chunks[index];
    out.sends.push_back(std::move(part));
  }
}

Exchange::Output Exchange::ask(uint64_t token, HostId target, std::string text, Nanos timeout, Nanos now) {
  assert(target >= 1 && target <= kMaxHosts);
  Output out;
  const auto refuse = [&](const std::string& why, int code) {
    out.answers.push_back({token, fail(why, code)});
  };
  if (target == self_ || !lines_(target))
    refuse("is not heard", kNotHeard);
  else if (text.size() > kMaxMessageBytes)
    refuse("the request is longer than a message between hosts may be", kNotPossible);
  else if (waiting_[target].size() >= kMaxWaitingRequests)
    refuse("too many requests wait for it", kNotPossible);
  else
    waiting_[target].push_back({token, std::move(text), now + timeout});
  begin_next(target, now, out);
  return out;
}

void Exchange::begin_next(HostId target, Nanos now, Output& out) {
  while (!outgoing_[target] && !waiting_[target].empty()) {
    Question question = std::move(waiting_[target].front());
    waiting_[target].pop_front();
    const auto line = lines_(target);
    if (!line || now >= question.deadline) {
      out.answers.push_back({question.token, fail("is not heard", kNotHeard)});
      continue;
    }
    Outgoing begun;
    begun.token = question.token;
    begun.target_incarnation = line->incarnation;
    begun.number = ++number_;
    begun.request = split(question.text);
    begun.deadline = question.deadline;
    begun.pause = kFirstPause;
    outgoing_[target] = std::move(begun);
    send_request(target, now, out);
  }
}

void Exchange::finish(HostId target, Result<std::string> text, Nanos now, Output& out) {
  out.answers.push_back({outgoing_[target]->token, std::move(text)});
  outgoing_[target].reset();
  begin_next(target, now, out);
}

void Exchange::send_request(HostId target, Nanos now, Output& out) {
  Outgoing& asked = *outgoing_[target];
  asked.send_at = now + asked.pause;
  asked.pause = std::min(2 * asked.pause, kLongestPause);
  auto form = compose(wire::MessagePart::Kind::request, target, asked.number);
  if (!form) return;  // not heard at the moment
  form->have = asked.answer.done;
  put_missing(asked.request, *form, out);
}

Exchange::Output Exchange::answer(const MemberRequest& to, std::string text, Nanos now) {
  Output out;
  Incoming& from = incoming_[to.from];
  if (from.incarnation != to.incarnation || from.number != to.number || from.answered) return out;
  assert(text.size() <= kMaxMessageBytes);
  from.answer = split(text);
  from.answered = true;
  from.forget_at = now + kAnswerKept;
  send_answer(to.from, now, out);
  return out;
}

void Exchange::send_answer(HostId to, Nanos now, Output& out) {
  Incoming& from = incoming_[to];
  using Kind = wire::MessagePart::Kind;
  auto form = compose(from.answered ? Kind::answer : Kind::receipt, to, from.number);
  if (!form || form->target_incarnation != from.incarnation) return;
  form->have = from.request.done;
  from.quiet_until = now + kQuiet;
  if (from.answered)
    put_missing(from.answer, *form, out);
  else
    out.sends.push_back(std::move(*form));
}

Exchange::Output Exchange::on_part(const wire::MessagePart& part, Nanos now) {
  Output out;
  if (part.kind == wire::MessagePart::Kind::request)
    hear_request(part, now, out);
  else
    hear_answer(part, now, out);
  return out;
}

void Exchange::hear_request(const wire::MessagePart& part, Nanos now, Output& out) {
  Incoming& from = incoming_[part.header.sender];
  const bool new_life = from.incarnation != part.header.incarnation;
  if (!new_life && part.number < from.number) return;
  if (new_life || part.number > from.number) {
    from = Incoming{};
    from.incarnation = part.header.incarnation;
    from.number = part.number;
  }
  if (from.forget_at != 0 && now >= from.forget_at) return;  // its answer is gone; never done twice
  if (!from.request.take(part)) return;
  if (from.request.complete() && !from.handed_over) {
    from.handed_over = true;
    out.requests.push_back({part.header.sender, from.incarnation, from.number, from.request.text()});
    from.quiet_until = 0;
  }
  if (from.answered) from.answer.done |= from.answer.complete() ? 0 : part.have;
  if (now >= from.quiet_until) send_answer(part.header.sender, now, out);
}

void Exchange::hear_answer(const wire::MessagePart& part, Nanos now, Output& out) {
  auto& asked = outgoing_[part.header.sender];
  if (!asked || asked->number != part.number || asked->target_incarnation != part.header.incarnation) return;
  const std::size_t count = asked->request.chunks.size();
  const uint64_t known = count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
  asked->request.done |= part.have & known;
  if (part.kind == wire::MessagePart::Kind::receipt) return;
  if (!asked->answer.take(part)) return;
  if (asked->answer.complete()) return finish(part.header.sender, asked->answer.text(), now, out);
  asked->pause = kFirstPause;
  asked->send_at = std::max(now + kSoon, std::min(asked->send_at, now + kFirstPause));
}

Exchange::Output Exchange::on_tick(Nanos now) {
  Output out;
  for (HostId id = 1; id <= kMaxHosts; ++id) {
    Incoming& from = incoming_[id];
    if (from.answered && now >= from.forget_at) from.request = from.answer = Parts{};
    if (!outgoing_[id]) continue;
    const Outgoing& asked = *outgoing_[id];
    const auto line = lines_(id);
    if (line && line->incarnation != asked.target_incarnation)
      finish(id, fail("was started anew meanwhile; whether it did it is not known", kNoAnswer), now, out);
    else if (now >= asked.deadline)
      finish(id, fail("gave no answer in time; whether it did it is not known", kNoAnswer), now, out);
    else if (now >= asked.send_at)
      send_request(id, now, out);
  }
  return out;
}

Nanos Exchange::next_wakeup() const {
  Nanos at = INT64_MAX;
  for (const auto& asked : outgoing_)
    if (asked) at = std::min({at, asked->send_at, asked->deadline});
  return at;
}

}  // namespace nlb::core
