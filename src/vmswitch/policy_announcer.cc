// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/policy_announcer.hh"

#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace nlb::vmswitch {
namespace {

constexpr auto kPeriod = std::chrono::seconds(1);
constexpr auto kAMomentLater = std::chrono::milliseconds(250);

// Asked for with every frame: whoever manages the VM may set it at any time.
std::optional<MacAddress> mac_of(int socket, uint32_t ifindex) {
  ifreq request{};
  if (if_indextoname(ifindex, request.ifr_name) == nullptr || ioctl(socket, SIOCGIFHWADDR, &request) != 0 ||
      request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
    return std::nullopt;
  MacAddress mac;
  std::memcpy(mac.octets.data(), request.ifr_hwaddr.sa_data, mac.octets.size());
  return mac;
}

}  // namespace

std::string this_host_name() {
  std::array<char, 256> name{};
  const bool known = gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0';
  return known ? name.data() : "unnamed";
}

Result<std::unique_ptr<PolicyAnnouncer>> PolicyAnnouncer::start() {
  auto socket = AnnouncementSocket::open();
  if (!socket) return tl::unexpected(socket.error());
  std::unique_ptr<PolicyAnnouncer> announcer(new PolicyAnnouncer(std::move(*socket)));
  announcer->thread_ = std::thread([raw = announcer.get()] { raw->run(); });
  return announcer;
}

PolicyAnnouncer::PolicyAnnouncer(AnnouncementSocket socket) : socket_(std::move(socket)) {}

PolicyAnnouncer::~PolicyAnnouncer() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void PolicyAnnouncer::announce(const AnnouncedPolicies& policies) {
  bool changed = false;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(entries_, [&](const auto& entry) { return !policies.contains(entry.first); });
    for (const auto& [ifindex, policy] : policies) {
      auto [entry, is_new] = entries_.try_emplace(ifindex);
      if (!is_new && entry->second.policy == policy) continue;
      entry->second = {policy, wire::encode(policy), Clock::now(), false};
      changed = true;
    }
  }
  if (changed) changed_.notify_one();
}

std::vector<PolicyAnnouncer::Due> PolicyAnnouncer::take_due(Clock::time_point now) {
  std::vector<Due> due;
  for (auto& [ifindex, entry] : entries_) {
    if (entry.next > now) continue;
    due.push_back({ifindex, entry.payload});
    entry.next = now + (entry.repeated_soon ? std::chrono::milliseconds(kPeriod) : kAMomentLater);
    entry.repeated_soon = true;
  }
  return due;
}

PolicyAnnouncer::Clock::time_point PolicyAnnouncer::next_due() const {
  auto next = Clock::now() + kPeriod;
  for (const auto& [ifindex, entry] : entries_) next = std::min(next, entry.next);
  return next;
}

void PolicyAnnouncer::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const auto due = take_due(Clock::now());
    lock.unlock();
    for (const Due& one : due) send(one);
    lock.lock();
    // Looked at with the lock held: what was announced meanwhile is due already.
    if (!stop_) changed_.wait_until(lock, next_due());
  }
}

// A port that is down, full or gone misses one; the next comes in a second.
void PolicyAnnouncer::send(const Due& due) const {
  if (const auto source = mac_of(socket_.fd(), due.ifindex)) socket_.send(due.ifindex, *source, due.payload);
}

}  // namespace nlb::vmswitch
