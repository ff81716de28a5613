// SPDX-License-Identifier: Apache-2.0
#include "nlbd/event_journal.hh"

#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#define SD_JOURNAL_SUPPRESS_LOCATION  // the line of this file tells nobody anything
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace nlb {
namespace {

constexpr const char* kJournalSocket = "/run/systemd/journal/socket";

int priority_of(Severity severity) {
  switch (severity) {
    case Severity::error:
      return LOG_ERR;
    case Severity::warning:
      return LOG_WARNING;
    case Severity::info:
      break;
  }
  return LOG_INFO;
}

// Journal fields are of capitals, digits and underscores, at most 64 long.
std::string field_name(const std::string& name) {
  std::string out = "NLB_";
  for (const char c : name.substr(0, 60))
    out += std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::toupper(c)) : '_';
  return out;
}

}  // namespace

std::vector<std::string> journal_fields(const EventKind& kind, const nlohmann::json& event,
                                        const std::string& cluster, int host) {
  std::vector<std::string> fields = {
      "MESSAGE=" + std::to_string(kind.number) + " " + kind.name + ": " + event.value("text", ""),
      "MESSAGE_ID=" + message_id_of(kind.number),
      "PRIORITY=" + std::to_string(priority_of(kind.severity)),
      "SYSLOG_IDENTIFIER=nlbd",
      "NLB_EVENT_NUMBER=" + std::to_string(kind.number),
      std::string("NLB_EVENT_NAME=") + kind.name,
      "CLUSTER=" + cluster,
      "HOST=" + std::to_string(host),
      "NLB_REMEDY=" + event.value("remedy", "")};
  const auto own = event.value("fields", nlohmann::json::object());
  for (const auto& [name, value] : own.items())
    fields.push_back(field_name(name) + "=" + (value.is_string() ? value.get<std::string>() : value.dump()));
  return fields;
}

bool send_to_journal(const EventKind& kind, const nlohmann::json& event, const std::string& cluster,
                     int host) {
  // sd_journal_sendv() calls it success when nobody listens.
  if (access(kJournalSocket, W_OK) != 0) return false;
  auto fields = journal_fields(kind, event, cluster, host);
  std::vector<iovec> parts;
  for (std::string& field : fields) parts.push_back({field.data(), field.size()});
  return sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0;
}

// systemd.exec(5): JOURNAL_STREAM has device and inode of the stream that the unit was started with.
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || fstat(STDERR_FILENO, &status) != 0) return false;
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

}  // namespace nlb
