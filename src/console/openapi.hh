// SPDX-License-Identifier: Apache-2.0
// The description of the API, as it stands in openapi.json beside this file.
#pragma once

namespace nlb::console {

extern const char* const kOpenApi;

}  // namespace nlb::console
