// SPDX-License-Identifier: Apache-2.0
// The word that carries a configuration and a key: what comes out, and what does not come out of a damaged
// one.
#include "nlb/invitation.hh"

#include <gtest/gtest.h>

namespace nlb {
namespace {

const Invitation kInvitation{4,
                             "# ours\n[cluster]\nname = \"web\"\nvips = [\"10.77.0.100\"]\n"
                             "key_file = \"/etc/opennlb/web.key\"\n[host]\nid = 1 # of many\n"
                             "interface = \"eth0\"\n[[port_rule]]\nports = \"80\" # http\n",
                             "seed 00\nkey ff\n"};

TEST(Invitation, ComesOutAsItWentIn) {
  for (std::size_t length = 0; length < 4; ++length) {  // base 64 pads differently
    Invitation sent = kInvitation;
    sent.keys += std::string(length, '#');
    const auto token = token_of(sent);
    EXPECT_EQ(token.find_first_of(" \n'\"$+/"), std::string::npos) << "a shell would change it";
    const auto read = read_token(token + "\n");
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(read->id, 4);
    EXPECT_EQ(read->config, sent.config);
    EXPECT_EQ(read->keys, sent.keys);
  }
}

TEST(Invitation, IsRefusedWhenItWasCutOrChanged) {
  const auto token = token_of(kInvitation);
  for (std::size_t at = 0; at < token.size(); ++at) {
    EXPECT_FALSE(read_token(token.substr(0, at)).has_value()) << at;
    auto changed = token;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(read_token(changed).has_value()) << at;
  }
  EXPECT_NE(read_token("onlb2-abc").error().message.find("version"), std::string::npos);
  EXPECT_NE(read_token("hello").error().message.find("no invitation"), std::string::npos);
}

TEST(Invitation, BecomesTheNewHostsFile) {
  const auto text = config_for_guest(kInvitation, "ens3", "/etc/opennlb/web.key");
  ASSERT_TRUE(text.has_value()) << text.error().message;
  EXPECT_EQ(*text,
            "# ours\n[cluster]\nname = \"web\"\nvips = [\"10.77.0.100\"]\n"
            "key_file = \"/etc/opennlb/web.key\"\n[host]\nid = 4 # of many\n"
            "interface = \"ens3\"\n[[port_rule]]\nports = \"80\" # http\n");
}

}  // namespace
}  // namespace nlb
