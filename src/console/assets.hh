// SPDX-License-Identifier: Apache-2.0
// The pages: the files of one directory, read once at the start. No path of a request ever reaches the disk.
#pragma once

#include <map>
#include <string>

#include "http/server.hh"

namespace nlb::console {

class Assets {
 public:
  // A directory that is not there gives no pages; a page then says how to get them.
  explicit Assets(const std::string& directory);
  [[nodiscard]] bool any() const { return !files_.empty(); }
  [[nodiscard]] http::Answer answer(const http::Request& request) const;

 private:
  struct File {
    std::string type, content, tag;
  };
  std::map<std::string, File> files_;  // by path: "/index.html"
};

}  // namespace nlb::console
