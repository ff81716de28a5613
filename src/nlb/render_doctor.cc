// SPDX-License-Identifier: Apache-2.0
// A diagnosis for people: one line a check, what to do below it, and the sum as the last line.
#include "nlb/json_field.hh"
#include "nlb/render.hh"

namespace nlb {
namespace {

Colour colour_of_status(const std::string& status) {
  if (status == "fail") return Colour::red;
  return status == "warn" ? Colour::yellow : Colour::green;
}

}  // namespace

std::string render_doctor(const nlohmann::json& answer, const Style& style) {
  TextTable table({});
  std::string remedies, out;
  unsigned passed = 0, warned = 0, failed = 0;
  for (const auto& check : list_field(answer, "checks")) {
    const auto status = field(check, "status");
    ++(status == "fail" ? failed : status == "warn" ? warned : passed);
    table.add({{status, colour_of_status(status)}, field(check, "id"), field(check, "detail")});
    if (const auto remedy = field(check, "remedy"); !remedy.empty())
      remedies += style.paint(field(check, "id"), colour_of_status(status)) + ": " + remedy + "\n";
  }
  out = table.text(style);
  if (!remedies.empty()) out += "\n" + style.paint("What to do", Colour::bold) + "\n" + remedies;
  return out + "\n" + std::to_string(passed) + " passed, " + std::to_string(warned) + " warnings, " +
         std::to_string(failed) + " failed\n";
}

}  // namespace nlb
