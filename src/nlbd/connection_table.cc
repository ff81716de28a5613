// SPDX-License-Identifier: Apache-2.0
#include "nlbd/connection_table.hh"

#include <cerrno>
#include <numeric>

#include "linux/clock.hh"
#include "linux/conntrack.hh"

namespace nlb {
namespace {

// What cost t of a processor serves for 10 t: a tenth of one at most while buckets are held.
constexpr Nanos kReuse = 10;
constexpr Nanos kLookReuse = 50;  // when nothing is asked

Result<void> translated_connections(const std::function<void(const ClientConnection&)>& take) {
  return each_translated([&](const TranslatedConnection& found) {
    take({found.client, found.address, found.client_port, found.port});
    return true;
  });
}

}  // namespace

Result<LiveConnections> ConnectionTable::read_translated(uint64_t states) {
  const Nanos begin = boottime_now(), spent_before = thread_time();
  const bool fresh = translated_.begun_at != 0 && translated_.states == states &&
                     begin - translated_.begun_at < kReuse * translated_.cost;
  if (fresh) return translated_.live;
  auto live = datapath_.count(translated_connections);
  if (!live) return live;
  if (std::accumulate(live->connections.begin(), live->connections.end(), uint64_t{0}) != 0) seen_at_ = begin;
  const std::lock_guard lock(mutex_);
  translated_ = {*live, states, begin, thread_time() - spent_before};
  return live;
}

Result<LiveConnections> ConnectionTable::read(uint64_t states) {
  auto translated = read_translated(states);
  if (!translated && translated.error().code == EAGAIN) return translated;
  auto live = datapath_.live_connections();
  if (live && translated) live->add(*translated);
  return live;
}

LiveConnections ConnectionTable::translated() const {
  const std::lock_guard lock(mutex_);
  return translated_.live;
}

void ConnectionTable::look_around(uint64_t states) {
  const Nanos since = boottime_now() - translated_.begun_at;
  if (translated_.begun_at != 0 && since < kLookReuse * translated_.cost) return;
  (void)read_translated(states);  // what cannot be read is said by the scan that needs it
}

}  // namespace nlb
