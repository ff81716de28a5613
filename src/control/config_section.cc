// SPDX-License-Identifier: Apache-2.0
#include "control/config_section.hh"

#include <algorithm>
#include <limits>
#include <numeric>

namespace nlb {
namespace {

// Levenshtein: insertions, deletions and replacements of one character.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace

void ProblemList::add(int line, std::string message) {
  std::replace_if(
      message.begin(), message.end(), [](char c) { return (c & 0xe0) == 0 || c == 0x7f; }, '?');
  problems_.push_back({file_, line, std::move(message)});
}

std::vector<ConfigProblem> ProblemList::sorted() const {
  auto result = problems_;
  std::stable_sort(result.begin(), result.end(),
                   [](const auto& a, const auto& b) { return a.line < b.line; });
  return result;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i != 0) out += i + 1 == words.size() ? " or " : ", ";
    out += words[i];
  }
  return out;
}

std::string nearest(std::string_view word, const std::vector<std::string>& words) {
  std::string best;
  std::size_t least = std::numeric_limits<std::size_t>::max();
  for (const auto& candidate : words) {
    const auto distance = edit_distance(word.substr(0, 64), candidate);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

const ConfigSection::Layer* ConfigSection::layer_of(std::string_view key) const {
  const auto found = std::find_if(overlays_.rbegin(), overlays_.rend(),
                                  [&](const Layer& layer) { return layer.table->find(key) != nullptr; });
  return found == overlays_.rend() ? nullptr : &*found;
}

const TomlNode* ConfigSection::find(std::string_view key) const {
  const auto* layer = layer_of(key);
  return layer != nullptr ? layer->table->find(key) : table_.find(key);
}

const TomlNode* ConfigSection::take(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  return find(key);
}

int ConfigSection::line_of(std::string_view key) const {
  const auto* node = find(key);
  return node != nullptr ? node->line : table_.line;
}

ProblemList& ConfigSection::problems_of(std::string_view key) const {
  const auto* layer = layer_of(key);
  return layer != nullptr ? *layer->problems : problems_;
}

void ConfigSection::complain(std::string_view key, const std::string& message) {
  problems_of(key).add(line_of(key), std::string(key) + " " + message);
}

std::optional<std::string> ConfigSection::text(std::string_view key, std::string_view allowed) {
  const auto* node = take(key);
  if (node == nullptr) return std::nullopt;
  if (node->kind == TomlNode::Kind::text) return node->text;
  complain(key, "must be a text in quotes, not " + node->describe() + "; allowed: " + std::string(allowed));
  return std::nullopt;
}

std::optional<uint32_t> ConfigSection::number(std::string_view key, uint32_t least, uint32_t most) {
  const auto* node = take(key);
  if (node == nullptr) return std::nullopt;
  const auto allowed = std::to_string(least) + ".." + std::to_string(most);
  if (node->kind != TomlNode::Kind::integer) {
    complain(key, "must be a whole number, not " + node->describe() + "; allowed: " + allowed);
  } else if (node->integer < least || node->integer > most) {
    complain(key, "is " + std::to_string(node->integer) + "; allowed: " + allowed);
  } else {
    return static_cast<uint32_t>(node->integer);
  }
  return std::nullopt;
}

std::optional<bool> ConfigSection::flag(std::string_view key) {
  const auto* node = take(key);
  if (node == nullptr) return std::nullopt;
  if (node->kind == TomlNode::Kind::boolean) return node->integer != 0;
  complain(key, "must be true or false, not " + node->describe());
  return std::nullopt;
}

const TomlNode* ConfigSection::list(std::string_view key, std::string_view allowed) {
  const auto* node = take(key);
  if (node == nullptr) return nullptr;
  if (node->kind == TomlNode::Kind::array) return node;
  complain(key, "must be a list, not " + node->describe() + "; allowed: " + std::string(allowed));
  return nullptr;
}

std::vector<const TomlNode*> ConfigSection::tables(std::string_view key, std::string_view header) {
  std::vector<const TomlNode*> result;
  const auto* node = take(key);
  if (node == nullptr) return result;
  if (node->kind != TomlNode::Kind::array) {
    complain(key, "must be written as " + std::string(header) + ", not as " + node->describe());
    return result;
  }
  for (const auto& item : node->items) {
    if (item.kind == TomlNode::Kind::table) {
      result.push_back(&item);
    } else {
      problems_.add(item.line, std::string(key) + " must be written as " + std::string(header) + ", not as " +
                                   item.describe());
    }
  }
  return result;
}

const TomlNode* ConfigSection::any(std::string_view key) {
  return take(key);
}

void ConfigSection::require(std::string_view key, std::string_view allowed) {
  if (!has(key))
    problems_.add(table_.line,
                  std::string(key) + " is missing in " + title_ + "; allowed: " + std::string(allowed));
}

void ConfigSection::reject_unknown_keys() {
  reject_unknown_keys_of(table_, problems_);
  for (const auto& layer : overlays_) reject_unknown_keys_of(*layer.table, *layer.problems);
}

void ConfigSection::reject_unknown_keys_of(const TomlNode& table, ProblemList& problems) const {
  for (const auto& node : table.items) {
    if (std::find(known_.begin(), known_.end(), node.key) != known_.end()) continue;
    problems.add(node.line, "unknown key \"" + node.key + "\" in " + title_ + "; nearest known key: \"" +
                                nearest(node.key, known_) + "\" (known: " + joined(known_) + ")");
  }
}

}  // namespace nlb
