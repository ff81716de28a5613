// SPDX-License-Identifier: Apache-2.0
#include "nlbd/steering_speaker.hh"

#include <net/if.h>
#include <pthread.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <random>

#include "linux/named_thread.hh"
#include "nlbd/steering_rules.hh"

namespace nlb {
namespace {

constexpr Nanos kPeriod = kSecond;
constexpr Nanos kSettle = 100 * kMillisecond;  // buckets change in bursts
constexpr Nanos kAgain = 200 * kMillisecond;   // what is not acknowledged
constexpr uint32_t kHurriedTries = 3;          // then it is repeated with each period

// The protocol thread is real-time and waits for a thread that is not: that one has its priority meanwhile.
void let_inherit_priority(std::mutex& mutex) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
  pthread_mutex_destroy(mutex.native_handle());
  pthread_mutex_init(mutex.native_handle(), &attributes);
  pthread_mutexattr_destroy(&attributes);
}

}  // namespace

Result<std::unique_ptr<SteeringSpeaker>> SteeringSpeaker::start(const std::string& interface,
                                                                const MacAddress& source) {
  auto socket = AnnouncementSocket::open(if_nametoindex(interface.c_str()));
  if (!socket) return tl::unexpected(socket.error());
  std::unique_ptr<SteeringSpeaker> speaker(new SteeringSpeaker(std::move(*socket), source));
  speaker->thread_ = named_thread("nlbd-steering", [raw = speaker.get()] { raw->run(); });
  return speaker;
}

// The generation of the daemon before this one is another one.
SteeringSpeaker::SteeringSpeaker(AnnouncementSocket socket, const MacAddress& source)
    : socket_(std::move(socket)), source_(source), generation_(std::random_device{}() | 1U) {
  let_inherit_priority(mutex_);
}

SteeringSpeaker::~SteeringSpeaker() {
  {
    const std::lock_guard lock(mutex_);
    fall_silent();
    stop_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void SteeringSpeaker::on_switch(std::optional<uint32_t> in_force) {
  {
    const std::lock_guard lock(mutex_);
    const bool asked_anew = in_force && (!speaks_ || (*in_force != in_force_ && *in_force != generation_));
    if (!in_force) fall_silent();
    speaks_ = in_force.has_value();
    in_force_ = in_force.value_or(0);
    if (asked_anew) next_at_ = tries_ = 0;
  }
  changed_.notify_one();
}

void SteeringSpeaker::use_source(const MacAddress& source) {
  const std::lock_guard lock(mutex_);
  source_ = source;
}

void SteeringSpeaker::next_generation() {
  if (++generation_ == 0) ++generation_;  // 0: none
  tries_ = 0;
}

// With the lock held: nothing of an older generation can follow it.
void SteeringSpeaker::say_mark() {
  if (speaks_) socket_.send(source_, wire::encode_steering_mark(generation_, in_transition_));
}

// What was said would be believed for three periods more, and nobody would say that it changes.
void SteeringSpeaker::fall_silent() {
  if (!speaks_) return;
  next_generation();
  in_transition_ = true;
  say_mark();
  speaks_ = false;
}

void SteeringSpeaker::begin(bool grows) {
  const std::lock_guard lock(mutex_);
  ++open_;
  stale_ = true;
  if (!grows) return;
  if (!in_transition_) next_generation();
  in_transition_ = true;
  say_mark();
}

void SteeringSpeaker::end() {
  {
    const std::lock_guard lock(mutex_);
    --open_;
    settles_at_ = boottime_now() + kSettle;
  }
  changed_.notify_one();
}

bool SteeringSpeaker::would_change(const wire::SteeringRules& rules, bool bound) {
  const std::lock_guard lock(mutex_);
  return rules_ != rules || bound_ != bound;
}

bool SteeringSpeaker::would_grow(std::size_t slot, const SlotStates& states) {
  const std::lock_guard lock(mutex_);
  const auto& before = accepts_[slot];
  for (std::size_t bucket = 0; bucket < states.size(); ++bucket)
    if (states[bucket] != BucketState::foreign && (!before || !(*before)[bucket])) return true;
  return false;
}

void SteeringSpeaker::use_rules(const wire::SteeringRules& rules, bool bound) {
  const std::lock_guard lock(mutex_);
  assert(open_ > 0);
  rules_ = rules;
  bound_ = bound;
}

void SteeringSpeaker::use_states(std::size_t slot, const SlotStates& states) {
  const std::lock_guard lock(mutex_);
  assert(open_ > 0);
  accepts_[slot] = accepting(states);
}

SteeringSpeaker::Status SteeringSpeaker::status() {
  const std::lock_guard lock(mutex_);
  return {speaks_, in_transition_, generation_, in_force_};
}

bool SteeringSpeaker::is_settled(Nanos now) const {
  return open_ == 0 && now >= settles_at_ && !rules_.vips.empty();
}

// ICMP echo is carried to everybody: its slot is not said.
wire::SteeringContent SteeringSpeaker::content() const {
  wire::SteeringContent said{rules_, {}};
  for (std::size_t slot = 0; slot < accepts_.size(); ++slot)
    if (accepts_[slot] && slot != kEchoSlot)
      said.rows[static_cast<uint8_t>(slot)] = bound_ ? *accepts_[slot] : BucketSet{};
  return said;
}

// One by one, each with the lock held and only while it is the newest: a mark of a newer generation, said on
// another thread, is never followed by a part of this one.
void SteeringSpeaker::send_all(std::unique_lock<std::mutex>& lock,
                               const std::vector<std::vector<uint8_t>>& parts) {
  const uint32_t generation = generation_;
  for (const auto& part : parts) {
    if (stop_ || generation_ != generation || !speaks_) return;
    socket_.send(source_, part);
    lock.unlock();
    lock.lock();
  }
}

void SteeringSpeaker::say_content(std::unique_lock<std::mutex>& lock) {
  if (in_transition_ || stale_) next_generation();
  in_transition_ = stale_ = false;
  const bool acknowledged = in_force_ == generation_;
  const Nanos wait = acknowledged || ++tries_ > kHurriedTries ? kPeriod : kAgain;
  next_at_ = boottime_now() + wait;
  if (acknowledged) return say_mark();
  const uint32_t generation = generation_;
  const auto said = content();
  lock.unlock();
  const auto parts = wire::encode_steering(generation, said);
  lock.lock();
  if (generation_ == generation) send_all(lock, parts);
}

void SteeringSpeaker::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const Nanos now = boottime_now();
    Nanos at = std::max(next_at_, now + kMillisecond);
    if (!speaks_) {
      at = now + kPeriod;
    } else if (!is_settled(now)) {
      if (in_transition_ && now >= next_at_) {
        say_mark();
        next_at_ = now + kPeriod;
      }
      at = open_ > 0 ? now + kSettle : std::max(settles_at_, now + kMillisecond);
      if (rules_.vips.empty()) at = now + kPeriod;
    } else if (in_transition_ || stale_ || now >= next_at_) {
      say_content(lock);
      continue;
    }
    changed_.wait_for(lock, std::chrono::nanoseconds(at - now));
  }
}

}  // namespace nlb
