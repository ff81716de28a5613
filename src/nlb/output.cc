// SPDX-License-Identifier: Apache-2.0
#include "nlb/output.hh"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "control/control.hh"
#include "control/descriptor.hh"

namespace nlb {

int print_answer(const Invocation& invocation, const Style& style, const nlohmann::json& answer,
                 Renderer render) {
  if (invocation.json)
    std::cout << answer.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  else
    std::cout << render(answer, style);
  std::cout.flush();
  if (std::cout) return kDone;
  std::cerr << "nlb: standard output cannot be written\n";
  return kFailed;
}

int print_failure(const Invocation& invocation, const Error& error) {
  const int code = error.code >= kFailed && error.code <= kNotPermitted ? error.code : int{kFailed};
  std::cerr << "nlb: " << error.message << "\n";
  const nlohmann::json document = {{"schema", 1}, {"error", {{"message", error.message}, {"exit", code}}}};
  if (invocation.json)
    std::cout << document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  return code;
}

Result<void> give_to_daemon(const std::string& file) {
  const passwd* daemon = geteuid() == 0 ? getpwnam("opennlb") : nullptr;
  if (daemon == nullptr) return {};
  // Others may rename in that directory: what is given away is the file that was opened, and no link.
  const Descriptor opened(open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  const bool plain = opened.ok() && fstat(opened.get(), &status) == 0 && S_ISREG(status.st_mode) &&
                     status.st_nlink == 1 && status.st_uid == 0;
  if (plain && fchown(opened.get(), daemon->pw_uid, daemon->pw_gid) == 0) return {};
  const std::string why =
      opened.ok() && !plain ? "it is not the file that was written" : std::strerror(errno);
  return fail(file + ": cannot be given to user opennlb: " + why, kFailed);
}

Result<std::string> socket_of(const Invocation& invocation) {
  if (!invocation.socket.empty()) return invocation.socket;
  // `nlb lab exec HOST` sets it, so that nlb there asks that host.
  if (const char* named = std::getenv("NLB_SOCKET"); named != nullptr && invocation.cluster.empty())
    return named;
  return find_socket(invocation.cluster);
}

}  // namespace nlb
