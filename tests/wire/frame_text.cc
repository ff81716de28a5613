// SPDX-License-Identifier: Apache-2.0
// One table of a heartbeat's numbers serves reading and writing; addresses, lists and bitmaps have lines of
// their own.
#include "frame_text.hh"

#include <fmt/format.h>

#include <functional>
#include <istream>
#include <sstream>

namespace nlb::wire {
namespace {

struct Number {
  const char* name;
  std::function<uint64_t(const Heartbeat&)> get;
  std::function<void(Heartbeat&, uint64_t)> set;
};

#define NUMBER(name, member)                                                                    \
  Number {                                                                                      \
    name, [](const Heartbeat& h) { return static_cast<uint64_t>(h.member); },                   \
        [](Heartbeat& h, uint64_t value) { h.member = static_cast<decltype(h.member)>(value); } \
  }

const std::vector<Number>& numbers() {
  static const std::vector<Number> table = {NUMBER("sender", header.sender),
                                            NUMBER("incarnation", header.incarnation),
                                            NUMBER("sequence", header.sequence),
                                            NUMBER("flags", flags),
                                            NUMBER("state", state),
                                            NUMBER("phase", phase),
                                            NUMBER("view", view),
                                            NUMBER("view_members", view_members),
                                            NUMBER("view_digest", view_digest),
                                            NUMBER("mode", digests.mode),
                                            NUMBER("period_ms", digests.period_ms),
                                            NUMBER("tolerance", digests.tolerance),
                                            NUMBER("hold_s", hold_s),
                                            NUMBER("vips_digest", digests.vips),
                                            NUMBER("rules_digest", digests.rules),
                                            NUMBER("seed_digest", digests.seed),
                                            NUMBER("generation", digests.generation),
                                            NUMBER("offer_generation", offer_generation),
                                            NUMBER("held_generation", held_generation),
                                            NUMBER("held_parts", held_parts),
                                            NUMBER("kept_generation", kept_generation),
                                            NUMBER("kept_parts", kept_parts)};
  return table;
}
#undef NUMBER

std::string buckets_text(const std::bitset<kBucketCount>& buckets) {
  std::string text;
  for (std::size_t first = 0; first < kBucketCount; ++first) {
    if (!buckets[first]) continue;
    std::size_t last = first;
    while (last + 1 < kBucketCount && buckets[last + 1]) ++last;
    text += text.empty() ? "" : ",";
    text += first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
    first = last;
  }
  return text.empty() ? "none" : text;
}

std::bitset<kBucketCount> buckets_of_text(const std::string& text) {
  std::bitset<kBucketCount> buckets;
  if (text == "none") return buckets;
  std::istringstream in(text);
  for (std::string range; std::getline(in, range, ',');) {
    const auto dash = range.find('-');
    const std::size_t first = std::stoul(range);
    const std::size_t last = dash == std::string::npos ? first : std::stoul(range.substr(dash + 1));
    for (std::size_t bucket = first; bucket <= last; ++bucket) buckets.set(bucket);
  }
  return buckets;
}

std::string text_of_heartbeat(const Heartbeat& heartbeat) {
  std::string text = "frame heartbeat\n";
  for (const Number& number : numbers()) text += fmt::format("{} {}\n", number.name, number.get(heartbeat));
  text += "dedicated_ip " + hex_of(heartbeat.dedicated_ip.octets) + "\n";
  text += "adapter_mac " + hex_of(heartbeat.adapter_mac.octets) + "\n";
  text += "offers " + hex_of(heartbeat.offers) + "\n";
  for (const PeerReport& peer : heartbeat.peers)
    text +=
        fmt::format("peer {} {} {} {} {} {} {} {}\n", peer.id, peer.phase, peer.accused ? 1 : 0,
                    peer.held_generation, peer.incarnation, peer.sequence, peer.view, peer.kept_generation);
  return text;
}

std::string text_of_held_part(const HeldPart& part) {
  std::string text = fmt::format(
      "frame {}\nsender {}\nincarnation {}\nsequence {}\nview {}\ngeneration {}\npart {}\nparts {}\n",
      part.owner == 0 ? "held_part" : "kept_part", part.header.sender, part.header.incarnation,
      part.header.sequence, part.view, part.generation, part.part, part.parts);
  if (part.owner != 0) text += fmt::format("owner {}\nheld_from {}\n", part.owner, part.held_from);
  for (const HeldPart::Slot& slot : part.slots)
    text += fmt::format("slot {} {}\n", slot.slot, buckets_text(slot.buckets));
  return text;
}

std::string text_of_message_part(const MessagePart& part) {
  std::string text = fmt::format(
      "frame message_part\nsender {}\nincarnation {}\nsequence {}\nkind {}\ntarget {}\npart {}\nparts {}\n",
      part.header.sender, part.header.incarnation, part.header.sequence, static_cast<unsigned>(part.kind),
      part.target, part.part, part.parts);
  return text + fmt::format("number {}\necho {}\ntarget_incarnation {}\nhave {}\ndata {}\n", part.number,
                            part.echo, part.target_incarnation, part.have,
                            part.data.empty() ? "none" : hex_of(part.data));
}

PeerReport read_peer(std::istream& in) {
  unsigned id = 0, phase = 0, accused = 0, kept = 0;
  PeerReport peer;
  in >> id >> phase >> accused >> peer.held_generation >> peer.incarnation >> peer.sequence >> peer.view >>
      kept;
  peer.kept_generation = static_cast<uint8_t>(kept);
  peer.id = static_cast<HostId>(id);
  peer.phase = static_cast<uint8_t>(phase);
  peer.accused = accused != 0;
  return peer;
}

template <std::size_t N>
void read_octets(std::istream& in, std::array<uint8_t, N>& octets) {
  std::string hex;
  in >> hex;
  const auto bytes = bytes_of_hex(hex);
  if (bytes.size() == N) std::copy(bytes.begin(), bytes.end(), octets.begin());
  if (bytes.size() != N) in.setstate(std::ios::failbit);
}

bool read_line(const std::string& name, std::istream& in, Heartbeat& to) {
  for (const Number& number : numbers()) {
    if (name != number.name) continue;
    uint64_t value = 0;
    in >> value;
    number.set(to, value);
    return !in.fail();
  }
  if (name == "dedicated_ip")
    read_octets(in, to.dedicated_ip.octets);
  else if (name == "adapter_mac")
    read_octets(in, to.adapter_mac.octets);
  else if (name == "offers")
    read_octets(in, to.offers);
  else if (name == "peer")
    to.peers.push_back(read_peer(in));
  else
    return false;
  return !in.fail();
}

bool read_line(const std::string& name, std::istream& in, HeldPart& to) {
  unsigned value = 0;
  if (name == "sender") {
    in >> value;
    to.header.sender = static_cast<HostId>(value);
  } else if (name == "incarnation")
    in >> to.header.incarnation;
  else if (name == "sequence")
    in >> to.header.sequence;
  else if (name == "view")
    in >> to.view;
  else if (name == "generation")
    in >> to.generation;
  else if (name == "part")
    in >> to.part;
  else if (name == "parts")
    in >> to.parts;
  else if (name == "held_from")
    in >> to.held_from;
  else if (name == "owner") {
    in >> value;
    to.owner = static_cast<HostId>(value);
  } else if (name == "slot") {
    std::string buckets;
    in >> value >> buckets;
    to.slots.push_back({static_cast<uint8_t>(value), buckets_of_text(buckets)});
  } else
    return false;
  return !in.fail();
}

bool read_line(const std::string& name, std::istream& in, MessagePart& to) {
  if (name == "data") {
    std::string hex;
    in >> hex;
    if (hex != "none") to.data = bytes_of_hex(hex);
    return !in.fail();
  }
  uint64_t value = 0;
  in >> value;
  if (name == "sender")
    to.header.sender = static_cast<HostId>(value);
  else if (name == "incarnation")
    to.header.incarnation = value;
  else if (name == "sequence")
    to.header.sequence = value;
  else if (name == "kind")
    to.kind = static_cast<MessagePart::Kind>(value);
  else if (name == "target")
    to.target = static_cast<HostId>(value);
  else if (name == "part")
    to.part = static_cast<uint8_t>(value);
  else if (name == "parts")
    to.parts = static_cast<uint8_t>(value);
  else if (name == "number")
    to.number = static_cast<uint32_t>(value);
  else if (name == "echo")
    to.echo = static_cast<uint32_t>(value);
  else if (name == "target_incarnation")
    to.target_incarnation = value;
  else if (name == "have")
    to.have = value;
  else
    return false;
  return !in.fail();
}

}  // namespace

std::string text_of_frame(const Frame& frame) {
  if (const auto* part = std::get_if<MessagePart>(&frame)) return text_of_message_part(*part);
  if (const auto* heartbeat = std::get_if<Heartbeat>(&frame)) return text_of_heartbeat(*heartbeat);
  return text_of_held_part(std::get<HeldPart>(frame));
}

std::optional<Frame> read_frame_text(std::istream& in) {
  std::optional<Frame> frame;
  for (std::string line; in.peek() != 'b' && std::getline(in, line) && !line.empty();) {
    std::istringstream words(line);
    std::string name, kind;
    words >> name;
    if (name == "frame") {
      words >> kind;
      if (kind == "message_part")
        frame = MessagePart{};
      else
        frame = kind == "heartbeat" ? Frame(Heartbeat{}) : Frame(HeldPart{});
      continue;
    }
    if (!frame) return std::nullopt;
    if (!std::visit([&](auto& body) { return read_line(name, words, body); }, *frame)) return std::nullopt;
  }
  return frame;
}

std::string hex_of(std::span<const uint8_t> bytes) {
  std::string hex;
  for (const uint8_t octet : bytes) hex += fmt::format("{:02x}", octet);
  return hex;
}

std::vector<uint8_t> bytes_of_hex(std::string_view hex) {
  std::vector<uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<uint8_t>(std::stoul(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

}  // namespace nlb::wire
