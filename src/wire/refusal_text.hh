// SPDX-License-Identifier: Apache-2.0
// Why a frame between switch and members was refused, in words. Each kind has its list of (name, text), of
// which its enumeration is made too; NLB_TEXT_OF makes text_of() of it.
#pragma once

#include <cstddef>
#include <string_view>

#define NLB_TEXT_OF_ONE(name, text) text,
#define NLB_TEXT_OF(Type, LIST)                                   \
  std::string_view text_of(Type refusal) {                        \
    constexpr std::string_view texts[] = {LIST(NLB_TEXT_OF_ONE)}; \
    return texts[static_cast<std::size_t>(refusal)];              \
  }
