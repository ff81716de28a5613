// SPDX-License-Identifier: Apache-2.0
#include "lab/live_frames.hh"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace nlb::lab {
namespace {

constexpr unsigned kBatch = 64;

}  // namespace

Result<LiveFrames> LiveFrames::open(unsigned interface_index) {
  const bpf_insn send_back[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = XDP_TX},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  };
  const int program = bpf_prog_load(BPF_PROG_TYPE_XDP, "nlb_lab_live", "GPL", send_back, 2, nullptr);
  if (program < 0)
    return fail(std::string("cannot load a program that sends: ") + std::strerror(errno), errno);
  return LiveFrames(program, interface_index);
}

LiveFrames::LiveFrames(LiveFrames&& other) noexcept
    : program_(std::exchange(other.program_, -1)), index_(other.index_) {}

LiveFrames::~LiveFrames() {
  if (program_ >= 0) close(program_);
}

std::size_t LiveFrames::send(std::span<const uint8_t> frame, unsigned count) const {
  xdp_md context{};
  context.data_end = static_cast<uint32_t>(frame.size());
  context.ingress_ifindex = index_;
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = context.data_end;
  options.ctx_in = &context;
  options.ctx_size_in = sizeof context;
  options.repeat = static_cast<int>(count);
  options.batch_size = kBatch;
  options.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
  return bpf_prog_test_run_opts(program_, &options) == 0 ? count : 0;
}

}  // namespace nlb::lab
