// SPDX-License-Identifier: Apache-2.0
// Where a daemon leaves its successor what that needs to go on in its view (core/resume_point.hh): a file
// beside its socket, which ends with the machine's power. Its first octet says whether the rest counts, so
// that it can be withdrawn where nothing can be written any more. What peers said stands in it as signed
// frames: a damaged or foreign file is refused.
#pragma once

#include <optional>
#include <string>

#include "core/resume_point.hh"
#include "wire/codec.hh"

namespace nlb {

[[nodiscard]] std::string resume_path_in(const std::string& runtime_directory);
// Something that counts lies there; whether it can be taken up is not looked at.
[[nodiscard]] bool is_view_left_at(const std::string& path);

class ResumeFile {
 public:
  explicit ResumeFile(std::string path);  // "" = none: nothing is found and nothing kept
  ~ResumeFile();
  ResumeFile(const ResumeFile&) = delete;
  ResumeFile& operator=(const ResumeFile&) = delete;

  [[nodiscard]] std::optional<core::ResumePoint> read(const wire::Codec& codec) const;
  // Withdraws what was there, then writes the point if it is valid. Whatever fails leaves none.
  void write(const core::ResumePoint& point, const wire::Codec& codec);

 private:
  int fd_ = -1;
};

}  // namespace nlb
