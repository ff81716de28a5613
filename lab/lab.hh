// SPDX-License-Identifier: Apache-2.0
// The lab: a cluster on one machine, in network namespaces, for demonstrations, tests and measurements.
#pragma once

namespace nlb {

// `nlb lab …`; argv[0] is "lab". Exit codes as those of nlb: 0 done, 1 it failed, 2 wrong usage.
int lab_main(int argc, char** argv);

}  // namespace nlb
