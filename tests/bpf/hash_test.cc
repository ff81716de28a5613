// SPDX-License-Identifier: Apache-2.0
// The bucket hash against its published vectors (docs/protocol/bucket-hash.md) and against OpenSSL's SipHash.
#include <gtest/gtest.h>
#include <nlb/abi/hash.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <random>
#include <sstream>
#include <vector>

namespace {

uint64_t openssl_siphash13(const std::array<uint8_t, 16>& key, const std::vector<uint8_t>& message) {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
  EVP_MAC_CTX* context = EVP_MAC_CTX_new(mac);
  std::size_t size = 8;
  unsigned c = 1, d = 3;
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                             OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &c),
                             OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &d),
                             OSSL_PARAM_construct_end()};
  uint8_t out[8] = {};
  std::size_t written = 0;
  EXPECT_EQ(EVP_MAC_init(context, key.data(), key.size(), parameters), 1);
  EXPECT_EQ(EVP_MAC_update(context, message.data(), message.size()), 1);
  EXPECT_EQ(EVP_MAC_final(context, out, &written, sizeof out), 1);
  EVP_MAC_CTX_free(context);
  EVP_MAC_free(mac);
  uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = value << 8 | out[i];
  return value;
}

uint64_t half(const std::array<uint8_t, 16>& key, std::size_t at) {
  uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = value << 8 | key[at + i];
  return value;
}

uint32_t by_openssl(const std::array<uint8_t, 16>& key, uint32_t affinity, uint32_t client, uint16_t port) {
  if (affinity == NLB_AFFINITY_NETWORK) client &= 0xffffff00;
  if (affinity != NLB_AFFINITY_NONE) port = 0;
  std::vector<uint8_t> message(8);
  for (std::size_t i = 0; i < 4; ++i) message[i] = static_cast<uint8_t>(client >> (24 - 8 * i));
  message[4] = static_cast<uint8_t>(port >> 8);
  message[5] = static_cast<uint8_t>(port);
  return static_cast<uint32_t>(openssl_siphash13(key, message) % 4096);
}

struct Client6 {
  std::array<uint8_t, 16> octets;
  [[nodiscard]] uint32_t bucket(const std::array<uint8_t, 16>& key, uint32_t affinity, uint16_t port) const {
    uint32_t words[4] = {};
    for (std::size_t i = 0; i < octets.size(); ++i) words[i / 4] = words[i / 4] << 8 | octets[i];
    return nlb_bucket_v6(half(key, 0), half(key, 8), affinity, words, port);
  }
};

uint32_t by_openssl(const std::array<uint8_t, 16>& key, uint32_t affinity, const Client6& client,
                    uint16_t port) {
  std::vector<uint8_t> message(24);
  std::copy_n(client.octets.begin(), affinity == NLB_AFFINITY_NETWORK ? 8 : 16, message.begin());
  if (affinity == NLB_AFFINITY_NONE) {
    message[16] = static_cast<uint8_t>(port >> 8);
    message[17] = static_cast<uint8_t>(port);
  }
  return static_cast<uint32_t>(openssl_siphash13(key, message) % 4096);
}

TEST(BucketHash, of_ipv6_is_openssls_siphash_1_3) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 5000; ++i) {
    std::array<uint8_t, 16> key;
    Client6 client{};
    for (uint8_t& byte : key) byte = static_cast<uint8_t>(random());
    for (uint8_t& byte : client.octets) byte = static_cast<uint8_t>(random());
    const auto port = static_cast<uint16_t>(random());
    for (const uint32_t affinity : {0U, 1U, 2U})
      ASSERT_EQ(client.bucket(key, affinity, port), by_openssl(key, affinity, client, port));
  }
}

TEST(BucketHash, of_ipv6_with_network_affinity_is_one_for_a_64) {
  const std::array<uint8_t, 16> key{1, 2, 3};
  const Client6 one{{0x20, 1, 0xd, 0xb8, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8}};
  Client6 neighbour = one, stranger = one;
  neighbour.octets[8] = 0xff;
  stranger.octets[7] = 8;
  EXPECT_EQ(one.bucket(key, 2, 1), neighbour.bucket(key, 2, 2));
  EXPECT_NE(one.bucket(key, 2, 1), stranger.bucket(key, 2, 1));
  EXPECT_NE(one.bucket(key, 1, 1), neighbour.bucket(key, 1, 1));
}

TEST(BucketHash, is_openssls_siphash_1_3) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::array<uint8_t, 16> key;
    for (uint8_t& byte : key) byte = static_cast<uint8_t>(random());
    const auto client = static_cast<uint32_t>(random());
    const auto port = static_cast<uint16_t>(random());
    for (const uint32_t affinity : {0U, 1U, 2U}) {
      ASSERT_EQ(nlb_bucket_v4(half(key, 0), half(key, 8), affinity, client, port),
                by_openssl(key, affinity, client, port));
    }
  }
}

TEST(BucketHash, gives_the_published_vectors) {
  std::ifstream file(NLB_VECTORS);
  ASSERT_TRUE(file.good());
  int count = 0, count6 = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string seed, client;
    uint32_t affinity = 0, port = 0, bucket = 0;
    words >> seed >> affinity >> client >> port >> bucket;
    std::array<uint8_t, 16> key;
    for (std::size_t i = 0; i < 16; ++i)
      key[i] = static_cast<uint8_t>(std::stoul(seed.substr(2 * i, 2), nullptr, 16));
    ++count;
    if (client.size() == 8) {
      const auto v4 = static_cast<uint32_t>(std::stoul(client, nullptr, 16));
      EXPECT_EQ(nlb_bucket_v4(half(key, 0), half(key, 8), affinity, v4, port), bucket) << line;
      continue;
    }
    Client6 v6{};
    for (std::size_t i = 0; i < 16; ++i)
      v6.octets[i] = static_cast<uint8_t>(std::stoul(client.substr(2 * i, 2), nullptr, 16));
    EXPECT_EQ(v6.bucket(key, affinity, static_cast<uint16_t>(port)), bucket) << line;
    ++count6;
  }
  EXPECT_GE(count, 60);
  EXPECT_GE(count6, 30);
}

TEST(BucketHash, spreads_even_ports_alone) {  // Linux clients prefer even ports
  std::array<uint32_t, 16> seen{};
  for (uint32_t port = 32768; port < 65536; port += 2) ++seen[nlb_bucket_v4(1, 2, 0, 0x0a000063, port) / 256];
  for (const uint32_t count : seen) EXPECT_NEAR(count, 1024, 160);
}

// Somebody who has one seed chooses 500 clients that fall into one of its buckets, and with it onto one host.
// Under a seed that he has not, they spread as any 500 do: at most a few in one bucket of 4096.
TEST(BucketHash, clients_chosen_for_one_seed_spread_under_another) {
  std::mt19937_64 random(7);
  std::array<uint8_t, 16> known, other;
  for (auto* seed : {&known, &other})
    for (uint8_t& byte : *seed) byte = static_cast<uint8_t>(random());
  const auto bucket = [](const std::array<uint8_t, 16>& seed, uint32_t client) {
    return nlb_bucket_v4(half(seed, 0), half(seed, 8), NLB_AFFINITY_SINGLE, client, 0);
  };
  std::vector<uint32_t> chosen;
  for (uint32_t client = 0x0a000000; chosen.size() < 500; ++client)
    if (bucket(known, client) == 77) chosen.push_back(client);
  std::array<int, 4096> clients{};
  std::array<int, 4> hosts{};
  for (const uint32_t client : chosen) {
    ++clients[bucket(other, client)];
    ++hosts[bucket(other, client) % hosts.size()];
  }
  EXPECT_LE(*std::max_element(clients.begin(), clients.end()), 5);
  for (const int share : hosts) EXPECT_NEAR(share, 125, 50);  // five standard deviations
}

}  // namespace
