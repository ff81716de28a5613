// SPDX-License-Identifier: Apache-2.0
#include "nlbd/event_list.hh"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace nlb {
namespace {

constexpr std::array kKinds = {
#define NLB_EVENT_KIND(name, number, severity, cause, remedy) \
  EventKind{#name, number, Severity::severity, cause, remedy},
    NLB_EVENTS(NLB_EVENT_KIND)
#undef NLB_EVENT_KIND
};

// Drawn once; the number of the event makes the rest.
constexpr const char* kMessageIdPrefix = "5d3c2b90f4e14c7fa6187c20d9be";
constexpr std::size_t kTextColumns = 76;

std::string folded(std::string_view text) {
  std::string out;
  std::size_t column = 0;
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (column > 0 && column + 1 + word.size() > kTextColumns) {
      out += '\n';
      column = 0;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out;
}

}  // namespace

const EventKind& kind_of(EventId id) {
  return kKinds[static_cast<std::size_t>(id)];
}

const char* name_of(Severity severity) {
  constexpr std::array names = {"info", "warning", "error"};
  return names[static_cast<std::size_t>(severity)];
}

std::string message_id_of(int number) {
  return fmt::format("{}{:04x}", kMessageIdPrefix, number);
}

std::string catalog_text() {
  std::string text =
      "# SPDX-License-Identifier: Apache-2.0\n"
      "# What journalctl -x shows. Made of src/nlbd/event_list.hh; a test compares the two.\n";
  for (const EventKind& kind : kKinds) {
    std::string title = kind.name;
    std::replace(title.begin(), title.end(), '_', ' ');
    const std::string remedy =
        *kind.remedy ? "Remedy: " + std::string(kind.remedy) + "." : "No action is needed.";
    text += fmt::format(
        "\n-- {}\nSubject: NLB event {}, {}: host @HOST@ of cluster @CLUSTER@\nDefined-By: OpenNLB\n"
        "Documentation: man:nlb(1) man:nlbd(8)\n\n{}\n\n{}\n",
        message_id_of(kind.number), kind.number, title, folded(kind.cause), folded(remedy));
  }
  return text;
}

std::string runbook_text() {
  std::string text;
  for (const EventKind& kind : kKinds)
    text += fmt::format("### {} {}\n\n*{}.* {}\n\n{}{}\n\n", kind.number, kind.name, name_of(kind.severity),
                        kind.cause, *kind.remedy ? "**Remedy:** " : "No action is needed",
                        *kind.remedy ? std::string(kind.remedy) + "." : ".");
  return text;
}

}  // namespace nlb
