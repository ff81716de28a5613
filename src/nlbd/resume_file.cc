// SPDX-License-Identifier: Apache-2.0
#include "nlbd/resume_file.hh"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace nlb {
namespace {

using Json = nlohmann::json;
constexpr uint8_t kNothing = 0, kCounts = 1;
constexpr off_t kLargest = 1 << 20;

bool put(int fd, const void* octets, std::size_t size, off_t at) {
  return pwrite(fd, octets, size, at) == static_cast<ssize_t>(size);
}

std::optional<core::ResumedPeer> peer_of(const Json& text, const wire::Codec& codec) {
  const auto frame = codec.decode(text.at("frame").get_binary());
  const auto* heartbeat = frame ? std::get_if<wire::Heartbeat>(&*frame) : nullptr;
  if (heartbeat == nullptr) return std::nullopt;
  return core::ResumedPeer{heartbeat->header.sender, text.at("sequence").get<uint64_t>(), *heartbeat};
}

std::optional<core::ResumePoint> point_of(const Json& text, const wire::Codec& codec) {
  core::ResumePoint point;
  point.incarnation = text.at("incarnation").get<uint64_t>();
  point.mark = {true, text.at("view").get<uint32_t>(), text.at("digest").get<uint64_t>(),
                text.at("block").get<uint64_t>(), text.at("times").get<uint32_t>()};
  point.members = text.at("members").get<HostSet>();
  for (const Json& peer : text.at("peers")) {
    auto known = peer_of(peer, codec);
    if (!known) return std::nullopt;
    point.peers.push_back(std::move(*known));
  }
  return point;
}

}  // namespace

std::string resume_path_in(const std::string& runtime_directory) {
  return runtime_directory + "/resume";
}

bool is_view_left_at(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return false;
  uint8_t first = kNothing;
  const bool counts = ::read(fd, &first, 1) == 1 && first == kCounts;
  close(fd);
  return counts;
}

ResumeFile::ResumeFile(std::string path) {
  if (!path.empty()) fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

ResumeFile::~ResumeFile() {
  if (fd_ >= 0) close(fd_);
}

std::optional<core::ResumePoint> ResumeFile::read(const wire::Codec& codec) const {
  struct stat facts {};
  if (fd_ < 0 || fstat(fd_, &facts) != 0 || facts.st_size < 2 || facts.st_size > kLargest)
    return std::nullopt;
  std::vector<uint8_t> octets(static_cast<std::size_t>(facts.st_size));
  if (pread(fd_, octets.data(), octets.size(), 0) != facts.st_size || octets.front() != kCounts)
    return std::nullopt;
  try {
    return point_of(Json::from_cbor(octets.begin() + 1, octets.end()), codec);
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

void ResumeFile::write(const core::ResumePoint& point, const wire::Codec& codec) {
  if (fd_ < 0 || !put(fd_, &kNothing, 1, 0) || !point.mark.valid) return;
  Json peers = Json::array();
  for (const core::ResumedPeer& peer : point.peers)
    peers.push_back({{"sequence", peer.sequence}, {"frame", Json::binary(codec.encode(peer.heartbeat))}});
  const auto octets = Json::to_cbor({{"incarnation", point.incarnation},
                                     {"view", point.mark.view},
                                     {"digest", point.mark.view_digest},
                                     {"block", point.mark.sequence_block},
                                     {"times", point.mark.times},
                                     {"members", point.members},
                                     {"peers", peers}});
  const bool whole =
      put(fd_, octets.data(), octets.size(), 1) && ftruncate(fd_, static_cast<off_t>(octets.size() + 1)) == 0;
  if (whole) (void)put(fd_, &kCounts, 1, 0);
}

}  // namespace nlb
