// SPDX-License-Identifier: Apache-2.0
// Big-endian integers in and out of bytes. The caller has checked lengths before it reads; reading past the
// end is therefore our own bug and asserts.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace nlb::wire {

class Writer {
 public:
  explicit Writer(std::size_t expected_bytes) { bytes_.reserve(expected_bytes); }

  template <std::unsigned_integral T>
  void put(T value) {
    for (std::size_t octet = sizeof(T); octet-- > 0;)
      bytes_.push_back(static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * octet)));
  }
  void put(std::span<const uint8_t> octets) { bytes_.insert(bytes_.end(), octets.begin(), octets.end()); }

  [[nodiscard]] std::vector<uint8_t>& bytes() { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
};

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  template <std::unsigned_integral T>
  [[nodiscard]] T get() {
    uint64_t value = 0;
    for (const uint8_t octet : take(sizeof(T))) value = value << 8 | octet;
    return static_cast<T>(value);
  }
  template <std::size_t N>
  void get(std::array<uint8_t, N>& octets) {
    const auto source = take(N);
    std::copy(source.begin(), source.end(), octets.begin());
  }
  [[nodiscard]] std::span<const uint8_t> take(std::size_t count) {
    assert(count <= left());
    const auto taken = bytes_.subspan(at_, count);
    at_ += count;
    return taken;
  }
  void skip(std::size_t count) { (void)take(count); }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }

 private:
  std::span<const uint8_t> bytes_;
  std::size_t at_ = 0;
};

}  // namespace nlb::wire
