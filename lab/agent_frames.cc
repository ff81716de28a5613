// SPDX-License-Identifier: Apache-2.0
#include "lab/agent_frames.hh"

#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace nlb::lab {
namespace {

bool read_all(int file, char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t count = read(file, bytes, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

constexpr std::size_t kHeadBytes = 5;

std::size_t size_in(const char* head) {
  std::size_t size = 0;
  for (std::size_t i = 1; i < kHeadBytes; ++i) size = size << 8 | static_cast<uint8_t>(head[i]);
  return size;
}

}  // namespace

bool write_all(int file, const void* bytes, std::size_t size) {
  const auto* at = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t count = write(file, at, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    at += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

std::string frame_of(FrameKind kind, const std::string& bytes) {
  const auto size = static_cast<uint32_t>(bytes.size());
  std::string frame{static_cast<char>(kind)};
  for (const int shift : {24, 16, 8, 0}) frame += static_cast<char>(size >> shift);
  return frame + bytes;
}

bool write_frame(int file, FrameKind kind, const std::string& bytes) {
  const std::string frame = frame_of(kind, bytes);
  return write_all(file, frame.data(), frame.size());
}

std::optional<AgentFrame> read_frame(int file) {
  std::array<char, kHeadBytes> head{};
  if (!read_all(file, head.data(), head.size())) return std::nullopt;
  const std::size_t size = size_in(head.data());
  if (size > kMaxFrameBytes) return std::nullopt;
  AgentFrame frame{static_cast<FrameKind>(head[0]), std::string(size, 0)};
  if (!read_all(file, frame.bytes.data(), size)) return std::nullopt;
  return frame;
}

Result<std::optional<AgentFrame>> take_frame(std::string& received) {
  if (received.size() < kHeadBytes) return std::nullopt;
  const std::size_t size = size_in(received.data());
  if (size > kMaxFrameBytes) return fail(fmt::format("no frame: a length of {} bytes", size));
  if (received.size() < kHeadBytes + size) return std::nullopt;
  AgentFrame frame{static_cast<FrameKind>(received[0]), received.substr(kHeadBytes, size)};
  received.erase(0, kHeadBytes + size);
  return frame;
}

std::optional<std::string> read_some(int file) {
  std::string bytes(std::size_t{1} << 16, 0);
  ssize_t count = 0;
  do count = read(file, bytes.data(), bytes.size());
  while (count < 0 && errno == EINTR);
  if (count < 0) return std::nullopt;
  bytes.resize(static_cast<std::size_t>(count));
  return bytes;
}

void splice(int one, int other) {
  std::array<pollfd, 2> polled{pollfd{one, POLLIN, 0}, pollfd{other, POLLIN, 0}};
  while (poll(polled.data(), polled.size(), -1) >= 0 || errno == EINTR) {
    for (std::size_t i = 0; i < 2; ++i) {
      if (polled[i].revents == 0) continue;
      const auto bytes = read_some(polled[i].fd);
      if (!bytes || bytes->empty() || !write_all(polled[1 - i].fd, bytes->data(), bytes->size())) return;
    }
  }
}

}  // namespace nlb::lab
