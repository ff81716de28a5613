// SPDX-License-Identifier: Apache-2.0
// nlb-sim, first sketch.
#include <cstdio>

#include "sim/run.hh"
int main(int argc, char** argv) {
  nlb::sim::RunOptions o;
  o.seed = std::stoull(argv[1]);
  const uint64_t to = argc > 2 ? std::stoull(argv[2]) : o.seed;
  if (argc > 3) o.duration = std::stoll(argv[3]) * nlb::kSecond;
  if (argc > 4) o.hosts = static_cast<nlb::HostId>(std::stoi(argv[4]));
  o.trace = to == o.seed;
  for (; o.seed <= to; ++o.seed) {
    auto r = nlb::sim::run(o);
    if (to == o.seed || !r.violations.empty()) {
      std::printf("seed %llu hash=%016llx hosts %d sim %.1f\n", (unsigned long long)o.seed,
                  (unsigned long long)r.hash, r.hosts, double(r.simulated) / 1e9);
      for (auto& v : r.violations) {
        std::printf("  %s\n", v.text().c_str());
        break;
      }
    }
  }
}
