// SPDX-License-Identifier: Apache-2.0
// Order in become(): limits and the bounding set first, while the process may; then groups, then the user;
// the capabilities last, as the change of user takes them out of all sets but the permitted one.
#include "linux/capabilities.hh"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <type_traits>

#include "linux/realtime.hh"

namespace nlb {
namespace {

constexpr CapabilityNeed kNetAdmin = {CAP_NET_ADMIN, "CAP_NET_ADMIN",
                                      "attaches filters, sets addresses and MACs", true},
                         kNetRaw = {CAP_NET_RAW, "CAP_NET_RAW", "sends and receives heartbeats", true},
                         kBpf = {CAP_BPF, "CAP_BPF", "loads the kernel programs", true},
                         kPerfmon = {CAP_PERFMON, "CAP_PERFMON",
                                     "lets the kernel programs read packets by pointer and walk sockets",
                                     true},
                         kIpcLock = {CAP_IPC_LOCK, "CAP_IPC_LOCK",
                                     "keeps the daemon's memory from being paged out", false},
                         kSysNice = {CAP_SYS_NICE, "CAP_SYS_NICE",
                                     "runs the protocol thread at real-time priority", false};

constexpr std::array kOfNlbd = {kNetAdmin, kNetRaw, kBpf, kPerfmon, kIpcLock, kSysNice};

constexpr std::array kOfVmswitch = {
    kNetAdmin,
    kNetRaw,
    kBpf,
    kPerfmon,
    CapabilityNeed{CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "opens programs on ports by their kernel-wide id", true},
    CapabilityNeed{CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "sees which process holds a tap open", true},
    CapabilityNeed{CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH",
                   "reads other users' /proc/PID/fd and the definitions of machines", true},
};

bool limit_allows(int capability) {
  const bool scheduling = capability == CAP_SYS_NICE;
  if (!scheduling && capability != CAP_IPC_LOCK) return false;
  rlimit limit{};
  if (getrlimit(scheduling ? RLIMIT_RTPRIO : RLIMIT_MEMLOCK, &limit) != 0) return false;
  return limit.rlim_cur == RLIM_INFINITY || (scheduling && limit.rlim_cur >= kProtocolPriority);
}

Error failed(const std::string& what) {
  const int code = errno;
  return {what + ": " + std::strerror(code), code};
}

// What this process has; where the kernel does not say, nothing.
class OwnCapabilities {
 public:
  OwnCapabilities() : own_(cap_get_proc(), cap_free) {}
  [[nodiscard]] bool known() const { return own_ != nullptr; }
  [[nodiscard]] bool has(cap_value_t one, cap_flag_t set) const {
    cap_flag_value_t state = CAP_CLEAR;
    if (known()) cap_get_flag(own_.get(), one, set, &state);
    return state == CAP_SET;
  }

 private:
  std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)> own_;
};

// A required one that is not there is not asked for: the caller names it.
std::vector<cap_value_t> worth_keeping(std::span<const CapabilityNeed> needs) {
  const OwnCapabilities own;
  std::vector<cap_value_t> kept;
  for (const auto& need : needs)
    if (own.has(need.capability, CAP_PERMITTED) && (need.required || !limit_allows(need.capability)))
      kept.push_back(need.capability);
  return kept;
}

// Without CAP_SETPCAP the bounding set stays; no_new_privs then makes it meaningless.
void drop_bounding_set_but(const std::vector<cap_value_t>& kept) {
  for (int one = 0; one < cap_max_bits(); ++one)
    if (std::find(kept.begin(), kept.end(), one) == kept.end()) (void)cap_drop_bound(one);
}

// As a unit of systemd starts it: there is nothing to drop, and its system call filter need not allow it.
bool has_no_more_than(const std::vector<cap_value_t>& kept) {
  const OwnCapabilities own;
  bool more = !own.known();
  for (int one = 0; !more && one < cap_max_bits(); ++one)
    more = own.has(one, CAP_PERMITTED) && std::find(kept.begin(), kept.end(), one) == kept.end();
  return !more;
}

Result<void> set_capabilities(const std::vector<cap_value_t>& kept) {
  cap_t wanted = cap_init();
  if (wanted == nullptr) return tl::unexpected(failed("capabilities"));
  for (const cap_flag_t set : {CAP_PERMITTED, CAP_EFFECTIVE, CAP_INHERITABLE})
    if (!kept.empty()) cap_set_flag(wanted, set, static_cast<int>(kept.size()), kept.data(), CAP_SET);
  const bool done = cap_set_proc(wanted) == 0;
  Result<void> result;
  if (!done) result = tl::unexpected(failed("capabilities cannot be dropped"));
  cap_free(wanted);
  if (!done) return result;
  if (geteuid() != 0)
    for (const cap_value_t one : kept)
      if (cap_set_ambient(one, CAP_SET) != 0) return tl::unexpected(failed("ambient capabilities"));
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return tl::unexpected(failed("no_new_privs"));
  return {};
}

Result<void> take_groups(const Account& account) {
  const gid_t group = account.group;
  const int done =
      account.name.empty() ? setgroups(1, &group) : initgroups(account.name.c_str(), account.group);
  if (done != 0) return tl::unexpected(failed("groups of user " + account.name));
  return {};
}

}  // namespace

std::span<const CapabilityNeed> nlbd_needs() {
  return kOfNlbd;
}
std::span<const CapabilityNeed> vmswitch_needs() {
  return kOfVmswitch;
}

std::vector<MissingCapability> missing_capabilities(std::span<const CapabilityNeed> needs) {
  const OwnCapabilities own;
  std::vector<MissingCapability> missing;
  for (const auto& need : needs)
    if (!own.has(need.capability, CAP_EFFECTIVE) && !limit_allows(need.capability))
      missing.push_back({need.name, need.purpose, need.required});
  return missing;
}

void raise_limits() {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  const rlimit priority{kProtocolPriority, kProtocolPriority};
  (void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
  (void)setrlimit(RLIMIT_RTPRIO, &priority);
}

Result<void> keep_only(std::span<const CapabilityNeed> needs) {
  raise_limits();
  const auto kept = worth_keeping(needs);
  if (has_no_more_than(kept)) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return tl::unexpected(failed("no_new_privs"));
    return {};
  }
  drop_bounding_set_but(kept);
  return set_capabilities(kept);
}

Result<Account> find_account(const std::string& name_or_number) {
  uint32_t number = 0;
  const char* const end = name_or_number.data() + name_or_number.size();
  const auto [parsed, error] = std::from_chars(name_or_number.data(), end, number);
  const bool is_number = error == std::errc{} && parsed == end;
  errno = 0;
  const passwd* entry = is_number ? getpwuid(number) : getpwnam(name_or_number.c_str());
  if (entry != nullptr) return Account{entry->pw_uid, entry->pw_gid, entry->pw_name};
  if (is_number) return Account{number, number, ""};
  return fail("there is no user \"" + name_or_number + "\"; make it (systemd-sysusers) or name another");
}

Result<void> become(const Account& account, std::span<const CapabilityNeed> needs) {
  if (account.user == geteuid()) return keep_only(needs);
  if (geteuid() != 0) return fail("only root can become user " + std::to_string(account.user), EPERM);
  raise_limits();
  const auto kept = worth_keeping(needs);
  drop_bounding_set_but(kept);
  if (auto groups = take_groups(account); !groups) return groups;
  const gid_t group = account.group;
  const uid_t user = account.user;
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setresgid(group, group, group) != 0 ||
      setresuid(user, user, user) != 0)
    return tl::unexpected(failed("cannot become user " + std::to_string(user)));
  return set_capabilities(kept);
}

void hide_memory() {
  const rlimit none{0, 0};
  (void)setrlimit(RLIMIT_CORE, &none);
  (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

ActingAs::ActingAs(const Account& account) {
  if (account.user == geteuid()) {
    worked_ = true;
    return;
  }
  worked_ = take_groups(account) && setegid(account.group) == 0 && seteuid(account.user) == 0;
}

ActingAs::~ActingAs() {
  if (getuid() != 0) return;
  // Back to root; where that failed, files stay closed to it, which shows.
  if (seteuid(0) == 0 && setegid(0) == 0) (void)setgroups(0, nullptr);
}

}  // namespace nlb
