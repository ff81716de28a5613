// SPDX-License-Identifier: Apache-2.0
// nlb: controls Network Load Balancing on this host. Understand the line, then ask the daemon or work
// locally.
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <iostream>

#include "nlb/commands.hh"
#include "nlb/vmswitch_commands.hh"
#if NLB_HAS_LAB
#include "lab/lab.hh"
#endif

namespace {

// `lab` has a line of its own (`lab exec NODE -- CMD`), which this program's options must not touch, and so
// has `console`: everything from that word on is handed over. Returns its index, or 0.
int index_of(const char* word, int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], word) == 0) return i;
    if (std::strcmp(argv[i], "--cluster") == 0 || std::strcmp(argv[i], "--socket") == 0)
      ++i;
    else if (argv[i][0] != '-')
      return 0;
  }
  return 0;
}

int run_lab(int argc, char** argv) {
#if NLB_HAS_LAB
  return nlb::lab_main(argc, argv);
#else
  static_cast<void>(argc);
  std::cerr << "nlb: " << argv[0] << ": this nlb was built without the lab\n";
  return nlb::kFailed;
#endif
}

// A program and a package of its own, beside this one or on the path.
int run_console(char** argv) {
  std::error_code code;
  const auto own = std::filesystem::read_symlink("/proc/self/exe", code);
  std::string program = (own.parent_path() / "nlb-console").string();
  argv[0] = program.data();
  ::execv(argv[0], argv);
  ::execvp("nlb-console", argv);
  std::cerr << "nlb: console: nlb-console is not installed (package opennlb-console)\n";
  return nlb::kFailed;
}

}  // namespace

int main(int argc, char** argv) {
  if (const int lab = index_of("lab", argc, argv); lab != 0) return run_lab(argc - lab, argv + lab);
  if (const int console = index_of("console", argc, argv); console != 0) return run_console(argv + console);
  const auto invocation = nlb::parse_arguments(argc, argv);
  if (!invocation) return invocation.error();
  const auto style = nlb::Style::of_terminal();
  if (invocation->command == "top") return nlb::run_top(*invocation, style);
  if (invocation->command == "doctor") return nlb::run_doctor(*invocation, style);
  if (invocation->command == "import") return nlb::run_import(*invocation, style);
  if (invocation->command == "switch-config") return nlb::run_switch_config(*invocation, style);
  if (invocation->command == "netcfg") return nlb::run_netcfg(*invocation, style);
  if (invocation->command.starts_with("vmswitch ")) return nlb::run_vmswitch(*invocation, style);
  return invocation->request.is_null() ? nlb::run_local(*invocation, style)
                                       : nlb::run_remote(*invocation, style);
}
