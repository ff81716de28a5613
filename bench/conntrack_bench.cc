// SPDX-License-Identifier: Apache-2.0
// What does it cost to read translated connections (src/linux/conntrack.hh) where connection tracking has
// many entries? Makes them by ctnetlink in a network namespace of its own: all of them translated, then none.
//   conntrack_bench [ENTRIES]     as root; net.netfilter.nf_conntrack_max must allow them
#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <sched.h>

#include <cstdlib>
#include <string>

#include "linux/clock.hh"
#include "linux/conntrack.hh"
#include "linux/netlink.hh"

namespace {

using namespace nlb;
constexpr uint32_t kVip = 0x0a4d0064, kInside = 0xac120002;

void put_tuple(nl_msg* message, int attribute, uint32_t from, uint32_t to, uint16_t from_port,
               uint16_t to_port) {
  nlattr* tuple = nla_nest_start(message, attribute);
  nlattr* ip = nla_nest_start(message, CTA_TUPLE_IP);
  nla_put_u32(message, CTA_IP_V4_SRC, htonl(from));
  nla_put_u32(message, CTA_IP_V4_DST, htonl(to));
  nla_nest_end(message, ip);
  nlattr* proto = nla_nest_start(message, CTA_TUPLE_PROTO);
  nla_put_u8(message, CTA_PROTO_NUM, IPPROTO_TCP);
  nla_put_u16(message, CTA_PROTO_SRC_PORT, htons(from_port));
  nla_put_u16(message, CTA_PROTO_DST_PORT, htons(to_port));
  nla_nest_end(message, proto);
  nla_nest_end(message, tuple);
}

netlink::Message entry(uint32_t number, bool translated) {
  netlink::Message message(
      nlmsg_alloc_simple(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL));
  const nfgenmsg head{AF_INET, NFNETLINK_V0, 0};
  nlmsg_append(message.get(), const_cast<nfgenmsg*>(&head), sizeof head, NLMSG_ALIGNTO);
  const uint32_t client = 0x0b000000 + number / 50000;
  const auto port = static_cast<uint16_t>(1024 + number % 50000);
  put_tuple(message.get(), CTA_TUPLE_ORIG, client, kVip, port, 80);
  put_tuple(message.get(), CTA_TUPLE_REPLY, kVip, client, 80, port);
  nla_put_u32(message.get(), CTA_TIMEOUT, htonl(3600));
  nla_put_u32(message.get(), CTA_STATUS, htonl(IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED));
  nlattr* info = nla_nest_start(message.get(), CTA_PROTOINFO);
  nlattr* tcp = nla_nest_start(message.get(), CTA_PROTOINFO_TCP);
  nla_put_u8(message.get(), CTA_PROTOINFO_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
  nla_nest_end(message.get(), tcp);
  nla_nest_end(message.get(), info);
  if (!translated) return message;
  nlattr* nat = nla_nest_start(message.get(), CTA_NAT_DST);
  nla_put_u32(message.get(), CTA_NAT_V4_MINIP, htonl(kInside));
  nla_put_u32(message.get(), CTA_NAT_V4_MAXIP, htonl(kInside));
  nla_nest_end(message.get(), nat);
  return message;
}

bool measure(uint32_t entries, bool translated) {
  if (unshare(CLONE_NEWNET) != 0) return false;
  auto socket = netlink::Socket::open(NETLINK_NETFILTER);
  if (!socket) return false;
  for (uint32_t i = 0; i < entries; ++i) {
    const auto message = entry(i, translated);
    if (const auto made = socket->request(message.get()); !made) {
      fmt::print(stderr, "entry {}: {}\n", i, made.error().message);
      return false;
    }
  }
  for (int run = 0; run < 3; ++run) {
    uint64_t found = 0;
    const Nanos begin = boottime_now(), spent = thread_time();
    if (const auto read = each_translated([&](const TranslatedConnection&) { return ++found != 0; }); !read) {
      fmt::print(stderr, "{}\n", read.error().message);
      return false;
    }
    fmt::print("{:>8} entries, {:>8} translated: {:>5} ms, of a processor {:>5} ms\n", tracked_connections(),
               found, (boottime_now() - begin) / kMillisecond, (thread_time() - spent) / kMillisecond);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const auto entries = static_cast<uint32_t>(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100'000);
  return measure(entries, true) && measure(entries, false) ? 0 : 1;
}
