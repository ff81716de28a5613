// SPDX-License-Identifier: Apache-2.0
// The programs where they belong, on the ports of a bridge, with real frames: by clsact and by tcx. Shows
// what BPF_PROG_TEST_RUN cannot: that both hooks take the verdict for what it is, that the kernel's way with
// VLAN tags is the one that push_tag.bpf.c imitates, and that a frame in several pieces is read through.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <ctime>

#include "fixtures.hh"

namespace nlb::test {
namespace {

constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46), kTcxEgress = static_cast<bpf_attach_type>(47);

constexpr uint16_t kTestType = 0x1234;  // an EtherType of nobody's: kernels send ND and MLD at any time

// The far end of a port: the guest's adapter. Sends any frame, hears those of the test's own type.
class Guest {
 public:
  explicit Guest(std::size_t number) : socket_(socket(AF_PACKET, SOCK_RAW, htons(kTestType))) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(kTestType);
    address.sll_ifindex =
        static_cast<int>(if_nametoindex(("gd-" + std::to_string(number) + "-peer").c_str()));
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~Guest() { close(socket_); }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  void send(const Frame& frame) const {
    ASSERT_EQ(::send(socket_, frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()));
  }
  // The next frame that somebody else sent, as far as its Ethernet header; nothing after a second.
  [[nodiscard]] Frame next() const {
    for (pollfd wait{socket_, POLLIN, 0}; poll(&wait, 1, 1000) == 1;) {
      Frame frame(9000);
      const ssize_t bytes = recv(socket_, frame.data(), frame.size(), 0);
      if (bytes < 14) continue;
      return cut(frame, 14);
    }
    return {};
  }

 private:
  int socket_;
};

enum class Hook { clsact, tcx };

class Attached : public testing::TestWithParam<Hook> {
 protected:
  static void SetUpTestSuite() {
    for (const uint32_t port : {web1(), web2(), other(), uplink()}) ASSERT_NE(port, 0U);
    ASSERT_EQ(std::system(
                  "ip link add gd-br type bridge mcast_snooping 0 && ip link set gd-br mtu 9000 addrgenmode "
                  "none up && for n in 0 1 2 3; do ip link set gd-$n mtu 9000 addrgenmode none master gd-br "
                  "up && ip link set gd-$n-peer mtu 9000 addrgenmode none up || exit 1; done"),
              0);
  }
  static void TearDownTestSuite() { std::system("ip link delete gd-br"); }

  void SetUp() override {
    libbpf_set_print(nullptr);  // it complains of a hook that is there already
    arrange_world(NLB_GUARD_SPOOFING_CLUSTER, [](Arrangement&) {});
    for (const uint32_t port : {web1(), web2(), other(), uplink()}) {
      attach(port, NLB_GUARD_TRANSMIT);
      attach(port, NLB_GUARD_RECEIVE);
      if (IsSkipped()) return;
    }
  }
  void TearDown() override {
    for (const int link : links_) close(link);
    for (int n = 0; GetParam() == Hook::clsact && n < 4; ++n)
      std::system(("tc qdisc delete dev gd-" + std::to_string(n) + " clsact").c_str());
  }

  void attach(uint32_t port, nlb_guard_direction direction) {
    const bool in = direction == NLB_GUARD_TRANSMIT;
    const int program = guard().program(direction);
    if (GetParam() == Hook::tcx) {
      const int link =
          bpf_link_create(program, static_cast<int>(port), in ? kTcxIngress : kTcxEgress, nullptr);
      if (link < 0) GTEST_SKIP() << "this kernel has no tcx: " << std::strerror(errno);
      return links_.push_back(link);
    }
    LIBBPF_OPTS(bpf_tc_hook, hook);
    hook.ifindex = static_cast<int>(port);
    hook.attach_point = in ? BPF_TC_INGRESS : BPF_TC_EGRESS;
    const int made = bpf_tc_hook_create(&hook);
    ASSERT_TRUE(made == 0 || made == -EEXIST) << std::strerror(-made);
    LIBBPF_OPTS(bpf_tc_opts, options);
    options.prog_fd = program;
    ASSERT_EQ(bpf_tc_attach(&hook, &options), 0);
  }

  // Waits until the counter has grown by one, at most a second.
  static void expect_counted(uint32_t port, nlb_guard_direction direction, nlb_guard_reason reason,
                             const std::function<void()>& send) {
    const uint64_t before = guard().packets(port, direction, reason);
    send();
    for (int i = 0; i < 1000 && guard().packets(port, direction, reason) == before; ++i) {
      const timespec pause{0, 1'000'000};
      nanosleep(&pause, nullptr);
    }
    EXPECT_EQ(guard().packets(port, direction, reason), before + 1) << guard_reason_name(reason);
  }
  static void expect_refused(const Frame& frame, nlb_guard_reason reason) {
    const Guest guest(0);
    expect_counted(web1(), NLB_GUARD_TRANSMIT, reason, [&] { guest.send(frame); });
  }

 private:
  std::vector<int> links_;
};

Frame to(const MacAddress& destination, uint8_t mark) {
  Frame frame = Ethernet{destination, kOwn}.wrap(kTestType, Frame(46, mark));
  return frame;
}

TEST_P(Attached, what_is_in_order_arrives) {
  const Guest guest(0), neighbour(2);
  guest.send(to(kOther, 1));
  EXPECT_EQ(neighbour.next(), cut(to(kOther, 1), 14));
}

TEST_P(Attached, a_spoofed_frame_does_not_arrive) {
  const Guest guest(0), neighbour(2);
  expect_refused(Ethernet{kOther, kStrange}.wrap(kTestType, Frame(46, 0)), NLB_GUARD_REASON_source_spoofed);
  guest.send(to(kOther, 2));
  EXPECT_EQ(neighbour.next(), cut(to(kOther, 2), 14));
}

TEST_P(Attached, a_tag_that_the_kernel_took_off_is_seen) {
  const Frame lie = arp_frame({kReply, kOwn, kOtherIp, kGateway, kGatewayIp}, kOwn);
  expect_refused(lie, NLB_GUARD_REASON_neighbour_address);
  expect_refused(tagged(lie, {0}), NLB_GUARD_REASON_neighbour_address);
  expect_refused(tagged(lie, {5}), NLB_GUARD_REASON_passed);
  expect_refused(tagged(lie, {5, 6}), NLB_GUARD_REASON_double_tagged);
  expect_refused(tagged(lie, {0, 0}, 0x88a8), NLB_GUARD_REASON_double_tagged);
  const Frame masked = Ethernet{kAll, kMasked1}.wrap(kTestType, Frame(46, 0));
  expect_refused(masked, NLB_GUARD_REASON_passed);
  expect_refused(tagged(masked, {5}), NLB_GUARD_REASON_source_spoofed);
}

TEST_P(Attached, a_frame_in_pieces_is_read_through) {
  Frame options;
  for (int i = 0; i < 3; ++i) options = joined({options, Frame{14, 200}, Frame(1598, 0)});
  const Frame lie =
      nd_frame(kIp6, advertisement(kFree6, joined({options, link_layer(kTargetOption, kOther)})));
  ASSERT_GT(lie.size(), 4096U);
  expect_refused(lie, NLB_GUARD_REASON_neighbour_mac);
}

TEST_P(Attached, the_cluster_mac_reaches_members_only) {
  const Guest up(3), member(1), neighbour(2);
  const Frame frame = Ethernet{kWebMac, kGateway}.wrap(kTestType, Frame(46, 7));
  expect_counted(other(), NLB_GUARD_RECEIVE, NLB_GUARD_REASON_not_for_port, [&] { up.send(frame); });
  EXPECT_EQ(member.next(), cut(frame, 14));
  up.send(Ethernet{kAll, kGateway}.wrap(kTestType, Frame(46, 8)));
  EXPECT_EQ(neighbour.next(), cut(Ethernet{kAll, kGateway}.wrap(kTestType, {}), 14));
}

TEST_P(Attached, a_port_without_a_policy_passes_nothing) {
  guard().remove_port(web1());
  expect_refused(to(kOther, 1), NLB_GUARD_REASON_no_policy);
  const Guest up(3);
  expect_counted(web1(), NLB_GUARD_RECEIVE, NLB_GUARD_REASON_no_policy, [&] {
    up.send(Ethernet{kAll, kGateway}.wrap(kTestType, Frame(46, 9)));
  });
}

INSTANTIATE_TEST_SUITE_P(by, Attached, testing::Values(Hook::clsact, Hook::tcx),
                         [](const auto& hook) { return hook.param == Hook::clsact ? "clsact" : "tcx"; });

}  // namespace
}  // namespace nlb::test
