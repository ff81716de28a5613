// SPDX-License-Identifier: Apache-2.0
#include "nlbd/event_file.hh"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace nlb {
namespace {

Result<void> failed(const std::string& path, const char* what) {
  const int error = errno;
  return fail(path + ": " + what + ": " + std::strerror(error), error);
}

void read_lines(const std::string& path, KeptEvents& kept) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object() || !json.value("log", nlohmann::json()).is_string() ||
        !json.value("sequence", nlohmann::json()).is_number_unsigned())
      continue;
    const auto log = json["log"].get<std::string>();
    const auto sequence = json["sequence"].get<uint64_t>();
    if (log != kept.log) kept.events.clear();  // somebody removed the file in between: another numbering
    kept.log = log;
    json.erase("log");
    json.erase("sequence");
    kept.events.push_back({sequence, std::move(json)});
  }
}

}  // namespace

EventFile::~EventFile() {
  if (fd_ >= 0) close(fd_);
}

KeptEvents EventFile::read_back(std::size_t limit) const {
  KeptEvents kept;
  read_lines(path_ + ".1", kept);
  read_lines(path_, kept);
  if (kept.events.size() > limit)
    kept.events.erase(kept.events.begin(), kept.events.end() - static_cast<std::ptrdiff_t>(limit));
  return kept;
}

Result<void> EventFile::open() {
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (fd_ < 0) return failed(path_, "cannot be opened");
  struct stat status {};
  const bool read = fstat(fd_, &status) == 0;
  bytes_ = static_cast<std::size_t>(status.st_size);
  char last = '\n';
  if (read && (bytes_ == 0 || pread(fd_, &last, 1, status.st_size - 1) != 1 || last == '\n' ||
               write(fd_, "\n", 1) == 1))  // ends the line that a crash cut off
    return {};
  auto why = failed(path_, read ? "cannot be written" : "cannot be read");
  close(fd_);  // or the next event would stand behind half a line
  fd_ = -1;
  return why;
}

Result<void> EventFile::rotate() {
  close(fd_);
  fd_ = -1;
  if (std::rename(path_.c_str(), (path_ + ".1").c_str()) != 0)
    return failed(path_, "cannot be renamed to events.jsonl.1");
  return open();
}

Result<void> EventFile::append(const std::string& log, uint64_t sequence, nlohmann::json event) {
  event["log"] = log;
  event["sequence"] = sequence;
  const std::string line = event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
  if (fd_ < 0)
    if (auto done = open(); !done) return done;
  if (bytes_ > 0 && bytes_ + line.size() > kMaxEventFileBytes)
    if (auto done = rotate(); !done) return done;
  const ssize_t put = write(fd_, line.data(), line.size());
  if (put < 0) return failed(path_, "cannot be written");
  bytes_ += static_cast<std::size_t>(put);
  if (static_cast<std::size_t>(put) == line.size()) return {};
  close(fd_);  // open() ends the line when there is room again
  fd_ = -1;
  return fail(path_ + ": the file system is full", ENOSPC);
}

}  // namespace nlb
