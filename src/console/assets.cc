// SPDX-License-Identifier: Apache-2.0
#include "console/assets.hh"

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

namespace nlb::console {
namespace {

constexpr std::size_t kMostBytes = 8 * 1024 * 1024;

std::string type_of(const std::filesystem::path& path) {
  static const std::map<std::string, std::string> types = {{".html", "text/html; charset=utf-8"},
                                                           {".js", "text/javascript; charset=utf-8"},
                                                           {".css", "text/css; charset=utf-8"},
                                                           {".svg", "image/svg+xml"},
                                                           {".json", "application/json"}};
  const auto found = types.find(path.extension().string());
  return found == types.end() ? "application/octet-stream" : found->second;
}

}  // namespace

Assets::Assets(const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code code;
  std::size_t bytes = 0;
  for (fs::recursive_directory_iterator at(directory, code), end; !code && at != end; at.increment(code)) {
    if (!at->is_regular_file()) continue;
    std::ostringstream content;
    content << std::ifstream(at->path(), std::ios::binary).rdbuf();
    bytes += content.str().size();
    if (bytes > kMostBytes) break;
    File file{type_of(at->path()), content.str(), ""};
    file.tag = "\"" + std::to_string(std::hash<std::string>{}(file.content)) + "\"";
    files_["/" + fs::relative(at->path(), directory).generic_string()] = std::move(file);
  }
}

http::Answer Assets::answer(const http::Request& request) const {
  http::Answer answer;
  auto found = files_.find(request.path == "/" ? "/index.html" : request.path);
  if (found == files_.end()) {
    answer.status = files_.empty() ? 503 : 404;
    answer.body = files_.empty() ? "The console's pages were not built: install nodejs and npm, then run "
                                   "`make build` again. The API under /api/v1 works.\n"
                                 : "There is no such page.\n";
    return answer;
  }
  const auto& file = found->second;
  answer.type = file.type;
  // Names below /assets carry a hash of what is in them.
  const bool hashed = found->first.starts_with("/assets/");
  answer.headers = {{"ETag", file.tag},
                    {"Cache-Control", hashed ? "public, max-age=31536000, immutable" : "no-cache"}};
  if (request.header("if-none-match") == file.tag)
    answer.status = 304;
  else
    answer.body = file.content;
  return answer;
}

}  // namespace nlb::console
