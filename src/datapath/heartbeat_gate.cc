// SPDX-License-Identifier: Apache-2.0
// Where the kernel does not take an entry, frames of that key or sender have a budget: slower, not deaf.
#include "datapath/heartbeat_gate.hh"

#include <bpf/bpf.h>
#include <nlb/abi/heartbeat.h>

#include <algorithm>
#include <cstring>

namespace nlb {
namespace {

int fd_of(const MapSet& maps, std::string_view name) {
  const auto found = maps.find(name);
  return found == maps.end() ? -1 : found->second.get();
}

template <typename Key>
std::vector<Key> keys_in(int map) {
  std::vector<Key> keys;
  Key key{};
  for (const Key* before = nullptr; bpf_map_get_next_key(map, before, &key) == 0; before = &keys.back())
    keys.push_back(key);
  return keys;
}

}  // namespace

HeartbeatGate::HeartbeatGate(const MapSet& maps)
    : keys_(fd_of(maps, "nlb_tag_keys")), senders_(fd_of(maps, "nlb_senders")) {}

// New ones first: at no instant is a key that goes on missing.
void HeartbeatGate::set_keys(std::span<const HeartbeatKey> keys) {
  for (const HeartbeatKey& key : keys) {
    nlb_tag_key words{};
    std::memcpy(words.words, key.octets.data(), sizeof words.words);
    for (__u64& word : words.words) word = nlb_little_endian(word);
    bpf_map_update_elem(keys_, key.id.data(), &words, BPF_ANY);
  }
  for (const nlb_tag_id& id : keys_in<nlb_tag_id>(keys_)) {
    const bool wanted = std::any_of(keys.begin(), keys.end(), [&](const HeartbeatKey& key) {
      return std::equal(key.id.begin(), key.id.end(), id.octets);
    });
    if (!wanted) bpf_map_delete_elem(keys_, &id);
  }
}

void HeartbeatGate::forget_senders() {
  for (const nlb_sender& sender : keys_in<nlb_sender>(senders_)) bpf_map_delete_elem(senders_, &sender);
  believed_.clear();
}

void HeartbeatGate::believe(HostId id, uint64_t incarnation, uint64_t sequence) {
  if (const auto former = believed_.find(id); former != believed_.end() && former->second != incarnation) {
    const nlb_sender sender{former->second, id};
    bpf_map_delete_elem(senders_, &sender);
  }
  believed_[id] = incarnation;
  const nlb_sender sender{incarnation, id};
  bpf_map_update_elem(senders_, &sender, &sequence, BPF_ANY);
}

}  // namespace nlb
