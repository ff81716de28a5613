// SPDX-License-Identifier: Apache-2.0
#include "console/secret.hh"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/hex.hh"
#include "control/secret_file.hh"

namespace nlb::console {

std::string random_word() {
  std::array<unsigned char, 32> octets;
  if (RAND_bytes(octets.data(), static_cast<int>(octets.size())) != 1)
    std::abort();  // no randomness, no secret
  return hex_of(octets);
}

bool same_secret(const std::string& one, const std::string& other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

Result<std::string> token_of(const std::string& path) {
  struct stat there {};
  if (::stat(path.c_str(), &there) != 0) {
    SecretText fresh;
    fresh.buffer() = random_word() + "\n";
    if (auto made = create_secret_file(path, fresh); !made) return tl::unexpected(made.error().within(path));
  }
  const auto file = read_secret_file(path);
  if (!file) return tl::unexpected(file.error().within(path));
  std::string token(file->text());
  while (!token.empty() && std::isspace(static_cast<unsigned char>(token.back())) != 0) token.pop_back();
  if (token.size() < 32)
    return fail(path + ": a token has at least 32 characters; delete the file for a new one");
  return token;
}

Session Sessions::open() {
  const std::lock_guard lock(mutex_);
  const auto older = [](const auto& one, const auto& other) { return one.second.used < other.second.used; };
  if (known_.size() >= kMost) known_.erase(std::min_element(known_.begin(), known_.end(), older));
  Session session{random_word(), random_word()};
  known_[session.id] = {session.csrf, Clock::now()};
  return session;
}

std::optional<Session> Sessions::find(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(id);
  if (found == known_.end()) return std::nullopt;
  if (Clock::now() - found->second.used > kIdle) {
    known_.erase(found);
    return std::nullopt;
  }
  found->second.used = Clock::now();
  return Session{id, found->second.csrf};
}

void Sessions::close(const std::string& id) {
  const std::lock_guard lock(mutex_);
  known_.erase(id);
}

std::chrono::milliseconds WrongTokens::another(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (now - last_ > std::chrono::minutes(1)) count_ = 0;
  last_ = now;
  count_ = std::min(count_ + 1, 5U);
  return std::chrono::milliseconds(500 << (count_ - 1));
}

}  // namespace nlb::console
