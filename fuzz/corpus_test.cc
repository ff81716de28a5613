// SPDX-License-Identifier: Apache-2.0
// Each file of each corpus once through its fuzzer, without libFuzzer: what was found stays found, and
// fuzzers that no longer build are noticed by every build. A property that does not hold ends the program;
// the file is named before.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#define X(name, corpus) extern "C" int name(const uint8_t* data, std::size_t size);
#include "fuzzers.inc"
#undef X

namespace {

struct Fuzzer {
  const char* name;
  int (*run)(const uint8_t* data, std::size_t size);
  const char* corpus;
};
constexpr Fuzzer kFuzzers[] = {
#define X(name, corpus) {#name, name, corpus},
#include "fuzzers.inc"
#undef X
};

std::string at_work;

void name_the_file(int signal) {
  const auto written = write(STDERR_FILENO, at_work.data(), at_work.size());
  std::signal(signal, SIG_DFL);
  if (written >= 0) raise(signal);
}

class Corpus : public testing::TestWithParam<Fuzzer> {};

TEST_P(Corpus, holds_what_the_fuzzer_asserts) {
  namespace fs = std::filesystem;
  std::signal(SIGABRT, name_the_file);
  std::signal(SIGSEGV, name_the_file);
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(std::string(NLB_CORPUS "/") + GetParam().corpus)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::vector<char> bytes(std::istreambuf_iterator<char>(file), {});
    at_work = std::string(GetParam().name) + ": " + entry.path().string() + "\n";
    ASSERT_EQ(GetParam().run(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()), 0) << at_work;
    ++files;
  }
  EXPECT_GE(files, 3U) << "a corpus of nothing proves nothing";
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Corpus, testing::ValuesIn(kFuzzers),
                         [](const auto& fuzzer) { return std::string(fuzzer.param.name); });

}  // namespace
