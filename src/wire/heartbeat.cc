// SPDX-License-Identifier: Apache-2.0
// Names and texts of refusals, from the one list in heartbeat.hh.
#include "wire/heartbeat.hh"

namespace nlb::wire {

std::string_view name_of(Refusal refusal) {
  switch (refusal) {
#define NLB_REFUSAL_NAME(name, text) \
  case Refusal::name:                \
    return #name;
    NLB_REFUSALS(NLB_REFUSAL_NAME)
#undef NLB_REFUSAL_NAME
  }
  return "unknown";
}

std::string_view text_of(Refusal refusal) {
  switch (refusal) {
#define NLB_REFUSAL_TEXT(name, text) \
  case Refusal::name:                \
    return text;
    NLB_REFUSALS(NLB_REFUSAL_TEXT)
#undef NLB_REFUSAL_TEXT
  }
  return "unknown";
}

}  // namespace nlb::wire
