// SPDX-License-Identifier: Apache-2.0
// `nlb-lab lab …`: the lab without the rest of nlb, for tests of the lab itself.
#include <fmt/core.h>

#include <cstring>

#include "lab/lab.hh"

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "lab") == 0) return nlb::lab_main(argc - 1, argv + 1);
  fmt::print(stderr, "nlb-lab: say `nlb-lab lab …`\n");
  return 2;
}
