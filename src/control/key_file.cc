// SPDX-License-Identifier: Apache-2.0
#include "control/key_file.hh"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>

#include "control/secret_file.hh"

namespace nlb {
namespace {

using Key = std::array<uint8_t, 32>;

std::array<uint8_t, SHA256_DIGEST_LENGTH> digest_of(std::string_view label, const Key& key) {
  std::vector<uint8_t> input(label.size() + key.size());
  std::memcpy(input.data(), label.data(), label.size());
  std::memcpy(input.data() + label.size(), key.data(), key.size());
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(input.data(), input.size(), digest.data());
  OPENSSL_cleanse(input.data(), input.size());
  return digest;
}

std::array<uint8_t, 16> derived_seed(const Key& key) {
  auto digest = digest_of("opennlb seed", key);
  std::array<uint8_t, 16> seed{};
  std::copy_n(digest.begin(), seed.size(), seed.begin());
  OPENSSL_cleanse(digest.data(), digest.size());
  return seed;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return hex_digit(c) >= 0; });
}

void decode_hex(std::string_view text, std::span<uint8_t> out) {
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<uint8_t>(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
}

void append_hex(std::string& out, std::span<const uint8_t> bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  for (const uint8_t byte : bytes) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// Reads line by line and keeps what it has seen, so that every line gets its own complaint.
class KeyParser {
 public:
  explicit KeyParser(const std::string& path) : path_(path) { result_.keys.reserve(kMaxKeys + 1); }
  ~KeyParser() { wipe(result_); }
  KeyParser(const KeyParser&) = delete;
  KeyParser& operator=(const KeyParser&) = delete;

  void take(std::string_view line) {
    ++line_;
    line = trimmed(line);
    if (line.empty() || line.front() == '#') return;
    const auto space = line.find_first_of(" \t");
    const auto word = line.substr(0, space);
    const auto value = space == std::string_view::npos ? std::string_view{} : trimmed(line.substr(space));
    if (word == "seed") {
      take_seed(value);
    } else if (word == "key") {
      take_key(value);
    } else if (space == std::string_view::npos && word.size() == 64 && is_hex(word)) {
      bare_line_ = line_;
      take_key(word);
    } else if (space == std::string_view::npos && is_hex(word)) {
      complain("a bare key must be 64 hex digits (32 bytes), this line has " + std::to_string(word.size()));
    } else {
      complain(
          "line not understood; allowed: \"seed\" and 32 hex digits, \"key\" and 64 hex digits, or a file of "
          "one "
          "bare line of 64 hex digits");
    }
  }

  tl::expected<KeySet, std::vector<ConfigProblem>> finish() {
    if (bare_line_ != 0 && (result_.keys.size() > 1 || seed_line_ != 0 || key_lines_ > 1))
      complain_at(bare_line_,
                  "a bare key stands alone in its file; write \"key\" in front of it, and a \"seed\" line");
    if (problems_.empty() && result_.keys.empty())
      complain_at(0, "no key; allowed: a \"key\" line of 64 hex digits (make a file with \"nlb keygen\")");
    if (problems_.empty() && seed_line_ == 0 && bare_line_ == 0)
      complain_at(0, "no seed; allowed: one \"seed\" line of 32 hex digits, the same on every host");
    if (!problems_.empty()) return tl::unexpected(problems_);
    if (seed_line_ == 0) result_.seed = derived_seed(result_.keys.front());
    KeySet done = std::move(result_);
    result_ = {};
    return done;
  }

 private:
  void complain_at(int line, std::string message) { problems_.push_back({path_, line, std::move(message)}); }
  void complain(std::string message) { complain_at(line_, std::move(message)); }

  // Length, digits, not all zero. The digits themselves never enter a message.
  bool decodable(std::string_view what, std::string_view value, std::size_t bytes) {
    const auto digits = std::to_string(bytes * 2) + " hex digits (" + std::to_string(bytes) + " bytes)";
    if (!is_hex(value)) {
      complain(std::string(what) + " must be " + digits + ", this one has other characters in it");
    } else if (value.size() != bytes * 2) {
      complain(std::string(what) + " must be " + digits + ", this one has " + std::to_string(value.size()));
    } else if (value.find_first_not_of('0') == std::string_view::npos) {
      complain(std::string(what) + " must not be all zero; make one with \"nlb keygen\"");
    } else {
      return true;
    }
    return false;
  }

  void take_seed(std::string_view value) {
    if (seed_line_ != 0)
      return complain("a second seed; the first one is in line " + std::to_string(seed_line_));
    seed_line_ = line_;
    if (decodable("a seed", value, result_.seed.size())) decode_hex(value, result_.seed);
  }

  void take_key(std::string_view value) {
    ++key_lines_;
    if (!decodable("a key", value, Key{}.size())) return;
    if (result_.keys.size() == kMaxKeys)
      return complain("more than " + std::to_string(kMaxKeys) + " keys; remove the oldest, which come last");
    Key key{};
    decode_hex(value, key);
    const bool known = std::find(result_.keys.begin(), result_.keys.end(), key) != result_.keys.end();
    if (known) {
      complain("the same key a second time");
    } else {
      result_.keys.push_back(key);
    }
    OPENSSL_cleanse(key.data(), key.size());
  }

  const std::string& path_;
  KeySet result_;
  std::vector<ConfigProblem> problems_;
  int line_ = 0, seed_line_ = 0, bare_line_ = 0, key_lines_ = 0;
};

bool fresh(std::span<uint8_t> bytes) {
  return RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1;
}

// Comments of the old file go first, then seed and keys.
void write_text(std::string& out, std::string_view comments, const KeySet& keys) {
  out.reserve(comments.size() + 64 + keys.keys.size() * 80);  // one allocation, so that wiping it wipes all
  out += comments;
  out += "seed ";
  append_hex(out, keys.seed);
  for (const auto& key : keys.keys) {
    out += "\nkey ";
    append_hex(out, key);
  }
  out += '\n';
}

void collect_comments(std::string& out, std::string_view text) {
  out.reserve(text.size() + 1);
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = trimmed(text.substr(0, end));
    if (!line.empty() && line.front() == '#') out.append(line).append("\n");
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

void wipe(KeySet& keys) {
  OPENSSL_cleanse(keys.seed.data(), keys.seed.size());
  for (auto& key : keys.keys) OPENSSL_cleanse(key.data(), key.size());
  keys.keys.clear();
}

tl::expected<KeySet, std::vector<ConfigProblem>> parse_keys(std::string_view text, const std::string& path) {
  KeyParser parser(path);
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    parser.take(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parser.finish();
}

tl::expected<KeySet, std::vector<ConfigProblem>> read_key_file(const std::string& path, SecretOwner owner) {
  const auto file = read_secret_file(path, owner);
  if (!file) return tl::unexpected(std::vector<ConfigProblem>{{path, 0, file.error().message}});
  return parse_keys(file->text(), path);
}

Result<KeySet> read_keys(const std::string& path, SecretOwner owner) {
  auto keys = read_key_file(path, owner);
  if (!keys) return fail(text_of(keys.error()));
  return std::move(*keys);
}

Result<void> write_new_keys(const std::string& path) {
  KeySet keys;
  keys.keys.resize(1);
  SecretText text;
  if (!fresh(keys.seed) || !fresh(keys.keys[0])) return fail("the system gives no random bytes");
  write_text(text.buffer(), "# Secret of an OpenNLB cluster. The same file on every host; mode 0600.\n",
             keys);
  wipe(keys);
  return create_secret_file(path, text);
}

Result<void> rotate_keys(const std::string& path, SecretOwner owner) {
  auto file = read_secret_file(path, owner);
  if (!file) return tl::unexpected(file.error().within(path));
  auto keys = parse_keys(file->text(), path);
  if (!keys) return fail(text_of(keys.error()));
  KeySet next;
  next.seed = keys->seed;
  next.keys.resize(1);
  if (!fresh(next.keys[0])) return fail("the system gives no random bytes");
  next.keys.reserve(kMaxKeys);
  for (const auto& key : keys->keys)
    if (next.keys.size() < kMaxKeys) next.keys.push_back(key);
  SecretText text, comments;
  collect_comments(comments.buffer(), file->text());
  write_text(text.buffer(), comments.text(), next);
  wipe(next);
  wipe(*keys);
  return replace_secret_file(path, text, file->attributes());
}

std::string key_fingerprint(const std::array<uint8_t, 32>& key) {
  const auto digest = digest_of("opennlb fingerprint", key);
  std::string out;
  append_hex(out, std::span(digest).first(8));
  return out;
}

}  // namespace nlb
