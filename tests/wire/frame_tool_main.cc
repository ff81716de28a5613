// SPDX-License-Identifier: Apache-2.0
// Frames between text and hex, for tests written in Python. Cluster and key are those of the vectors.
//   frame_tool encode < text    frames separated by an empty line → one line of hex each
//   frame_tool decode < hex     one line each → text, or "refused NAME", and an empty line
#include <iostream>
#include <string_view>

#include "frame_text.hh"
#include "sample_frames.hh"

namespace nlb::wire {
namespace {

int encode_all(const Codec& codec) {
  while (const auto frame = read_frame_text(std::cin)) std::cout << hex_of(codec.encode(*frame)) << '\n';
  if (std::cin.eof()) return 0;
  std::cerr << "frame_tool: a line is not understood\n";
  return 1;
}

int decode_all(const Codec& codec) {
  for (std::string line; std::getline(std::cin, line);) {
    const auto frame = codec.decode(bytes_of_hex(line));
    if (frame) std::cout << text_of_frame(*frame) << '\n';
    if (!frame) std::cout << "refused " << name_of(frame.error()) << "\n\n";
  }
  return 0;
}

}  // namespace
}  // namespace nlb::wire

int main(int argc, char** argv) {
  const nlb::wire::Codec codec(nlb::wire::sample_keys(), "web", nlb::wire::sample_vip());
  const std::string_view command = argc == 2 ? argv[1] : "";
  if (command == "encode") return nlb::wire::encode_all(codec);
  if (command == "decode") return nlb::wire::decode_all(codec);
  std::cerr << "usage: frame_tool encode|decode\n";
  return 2;
}
