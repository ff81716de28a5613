// SPDX-License-Identifier: Apache-2.0
#include "control/config_edit.hh"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/config_file.hh"
#include "control/config_json.hh"
#include "control/config_lines.hh"
#include "control/config_values.hh"
#include "control/toml_document.hh"

namespace nlb {
namespace {

using Json = nlohmann::json;
constexpr int kFailed = 1, kUsage = 2;
constexpr std::string_view kSubTable = "[[port_rule.";
constexpr std::array kRuleKeys = {"vip",      "ports",  "protocol", "mode",
                                  "affinity", "weight", "priority", "timeout_s"};  // in the file's order

Result<std::string> toml_value(const std::string& key, const Json& value) {
  if (value.is_number_integer()) return std::to_string(value.get<int64_t>());
  if (!value.is_string()) return fail("\"" + key + "\" is neither text nor number", kUsage);
  const auto text = value.get<std::string>();
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return (c & 0xe0) != 0 && c != 0x7f; });
  if (!plain) return fail("\"" + key + "\" has characters that no value has", kUsage);
  return quoted_toml(text);
}

struct Selection {
  uint16_t first_port = 0, last_port = 0;
  bool exact = false;
  std::string vip, protocol, text;

  [[nodiscard]] bool holds(const PortRule& rule) const {
    const bool ports = exact ? rule.first_port == first_port && rule.last_port == last_port
                             : rule.first_port <= first_port && first_port <= rule.last_port;
    return ports && (vip.empty() || vip == (rule.vip ? rule.vip->text() : "all")) &&
           (protocol.empty() || protocol == name_of(rule.protocol));
  }
};

Result<Selection> read_selection(const Json& change) {
  const Json& select = change.at("select");
  Selection selection;
  const std::string ports = select.value("ports", "");
  const auto range = parse_ports(ports);
  if (!range) return fail("\"" + ports + "\" is no port; allowed: \"N\" or \"N-M\"", kUsage);
  std::tie(selection.first_port, selection.last_port) = *range;
  selection.exact = ports.find('-') != std::string::npos;
  selection.vip = select.value("vip", "");
  selection.protocol = select.value("protocol", "");
  selection.text = (selection.vip.empty() ? "port " : "VIP " + selection.vip + " port ") + ports +
                   (selection.protocol.empty() ? "" : " " + selection.protocol);
  return selection;
}

class Editor {
 public:
  Editor(const std::string& text, const std::string& path, Config config, const TomlNode& document)
      : lines_(text), path_(path), config_(std::move(config)) {
    cluster_line_ = document.find("cluster")->line;
    if (const auto* rules = document.find("port_rule"))
      for (const TomlNode& rule : rules->items) rule_lines_.push_back(rule.line);
  }

  Result<void> carry_out(const Json& change) {
    const std::string op = change.value("op", "");
    if (op == "rule-add") return add_rule(change.at("rule"));
    if (op == "rule-set") return set_rule(change);
    if (op == "rule-remove") return remove_rule(change);
    if (op == "weight") return set_weight(change);
    if (op == "vip-add" || op == "vip-remove") return change_vips(op, change.value("address", ""));
    return fail("unknown change \"" + op + "\"", kUsage);
  }

  [[nodiscard]] std::string text() const { return lines_.text(); }
  [[nodiscard]] const Config& wanted() const { return config_; }
  [[nodiscard]] bool changes(std::size_t rule) const {
    return std::find(changed_.begin(), changed_.end(), rule) != changed_.end();
  }

 private:
  Result<void> add_rule(const Json& rule) {
    if (rule_lines_.empty())
      return fail(
          "the file has no [[port_rule]], so the default rule (all ports) is in force and overlaps; change "
          "that one first: nlb rule set 0-65535 --ports …",
          kFailed);
    std::vector<std::string> block = {"[[port_rule]]"};
    for (const auto& [key, value] : rule.items())
      if (std::find(kRuleKeys.begin(), kRuleKeys.end(), key) == kRuleKeys.end())
        return fail("a port rule has no \"" + key + "\"", kUsage);
    for (const char* key : kRuleKeys) {
      if (!rule.contains(key)) continue;
      const auto value = toml_value(key, rule[key]);
      if (!value) return tl::unexpected(value.error());
      block.push_back(std::string(key) + " = " + *value);
    }
    lines_.add_table(rule_lines_.back(), kSubTable, block);
    changed_ = {config_.rules.size()};
    config_.rules.emplace_back();
    return {};
  }

  // The default rule, which stands in for none, is written down when it is to be changed.
  void write_default_rule() {
    if (!rule_lines_.empty()) return;
    lines_.add_table(0, kSubTable, {"[[port_rule]]", "ports = \"0-65535\"", "protocol = \"both\""});
    const auto document = parse_toml(lines_.text());
    if (!document) return;
    if (const auto* rules = document->find("port_rule")) rule_lines_ = {rules->items.front().line};
  }

  Result<std::size_t> selected(const Json& change) {
    const auto selection = read_selection(change);
    if (!selection) return tl::unexpected(selection.error());
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < config_.rules.size(); ++i)
      if (selection->holds(config_.rules[i])) found.push_back(i);
    if (found.empty()) return fail("no port rule holds " + selection->text, kFailed);
    if (found.size() > 1)
      return fail(selection->text + " is held by several port rules (" + rule_text(config_.rules[found[0]]) +
                      ", " + rule_text(config_.rules[found[1]]) + "): name VIP or --protocol",
                  kFailed);
    return found.front();
  }

  Result<void> set_keys(std::size_t index, const Json& keys) {
    write_default_rule();
    const int header = rule_lines_.at(index);
    for (const auto& [key, value] : keys.items()) {
      if (std::find(kRuleKeys.begin(), kRuleKeys.end(), key) == kRuleKeys.end())
        return fail("a port rule has no \"" + key + "\"", kUsage);
      const auto written = toml_value(key, value);
      if (!written) return tl::unexpected(written.error());
      lines_.set(header, key, *written);
    }
    const std::string mode = keys.value("mode", "");
    for (const char* key : {"affinity", "weight", "timeout_s"})
      if (!mode.empty() && mode != "multiple" && !keys.contains(key)) lines_.erase_key(header, key);
    if (!mode.empty() && mode != "single" && !keys.contains("priority")) lines_.erase_key(header, "priority");
    return {};
  }

  Result<void> set_rule(const Json& change) {
    const auto index = selected(change);
    if (!index) return tl::unexpected(index.error());
    changed_ = {*index};
    return set_keys(*index, change.at("set"));
  }

  Result<void> remove_rule(const Json& change) {
    const auto index = selected(change);
    if (!index) return tl::unexpected(index.error());
    if (rule_lines_.empty())
      return fail("there is no [[port_rule]]; the default rule (all ports) stands in for it", kFailed);
    if (rule_lines_.size() == 1)
      return fail(
          "this is the last port rule; without any, the default rule (all ports) would be in force: nlb rule "
          "set 0-65535 changes that one",
          kFailed);
    lines_.erase_table(rule_lines_[*index], kSubTable);
    config_.rules.erase(config_.rules.begin() + static_cast<std::ptrdiff_t>(*index));
    return {};
  }

  // From the last rule on, so that an added line moves no header that is still to be used.
  Result<void> set_weight(const Json& change) {
    std::vector<std::size_t> indices;
    if (change.contains("select")) {
      const auto index = selected(change);
      if (!index) return tl::unexpected(index.error());
      if (config_.rules[*index].mode != FilteringMode::multiple)
        return fail(rule_text(config_.rules[*index]) + " has no weight: its mode is not \"multiple\"",
                    kFailed);
      indices = {*index};
    } else {
      for (std::size_t i = config_.rules.size(); i-- > 0;)
        if (config_.rules[i].mode == FilteringMode::multiple) indices.push_back(i);
    }
    if (indices.empty()) return fail("no port rule has a weight", kFailed);
    for (const std::size_t index : indices)
      if (auto done = set_keys(index, {{"weight", change.at("weight")}}); !done) return done;
    changed_ = indices;
    return {};
  }

  Result<void> change_vips(const std::string& op, const std::string& text) {
    const auto vip = parse_vip(text);
    if (!vip) return fail("\"" + text + "\" is not an address; allowed: ADDRESS or ADDRESS/PREFIX", kUsage);
    const auto present = std::find_if(config_.vips.begin(), config_.vips.end(),
                                      [&](const Vip& one) { return one.address == vip->address; });
    if (op == "vip-add") {
      if (present != config_.vips.end()) return fail(text + " is a VIP already", kFailed);
      config_.vips.push_back(*vip);
      if (lines_.append_to_list(cluster_line_, "vips", text)) return {};
      return fail(path_ + ": cannot be changed by a program here; add the VIP by hand", kFailed);
    }
    if (present == config_.vips.end()) return fail(text + " is no VIP of this cluster", kFailed);
    if (present == config_.vips.begin())
      return fail(text + " is the primary VIP, which names the cluster's MAC: it cannot be removed", kFailed);
    const std::string prefix = present->prefix_length ? "/" + std::to_string(*present->prefix_length) : "";
    const std::string written = present->address.text() + prefix;
    config_.vips.erase(present);
    if (lines_.erase_from_list(cluster_line_, "vips", written)) return {};
    return fail(path_ + ": the VIP cannot be found by a program here; remove it by hand", kFailed);
  }

  ConfigLines lines_;
  std::string path_;
  Config config_;
  int cluster_line_ = 0;
  std::vector<int> rule_lines_;
  std::vector<std::size_t> changed_;  // rules that become others
};

// Whether the rule has what was asked for; ports and VIP have several ways of being written.
bool took(const PortRule& rule, const Json& keys) {
  const Json shown = to_json(rule, 0);
  return std::all_of(keys.items().begin(), keys.items().end(), [&](const auto& item) {
    return item.key() == "ports" || item.key() == "vip" || shown.value(item.key(), Json()) == item.value();
  });
}

Json keys_asked(const Json& change) {
  const std::string op = change.value("op", "");
  if (op == "rule-add") return change.at("rule");
  return op == "weight" ? Json{{"weight", change.at("weight")}} : change.value("set", Json::object());
}

// What must be the same before and after, but for the rules and VIPs.
Json frame_of(const Config& config) {
  Json json = to_json(config);
  json.erase("port_rules");
  json["cluster"].erase("vips");
  return json;
}

}  // namespace

Result<std::string> edit_config(const std::string& text, const std::string& path, const Json& change) {
  const auto document = parse_toml(text);
  const auto before = parse_config(text, path);
  if (!before || !document) return fail(before ? path : before.error().front().text(), kFailed);
  Editor editor(text, path, before->config, *document);
  if (auto done = editor.carry_out(change); !done) return tl::unexpected(done.error());
  const std::string edited = editor.text();
  const auto after = parse_config(edited, path);
  if (!after) return fail(after.error().front().message, kFailed);
  const auto& wanted = editor.wanted();
  bool as_asked = after->config.vips == wanted.vips && after->config.rules.size() == wanted.rules.size() &&
                  frame_of(after->config) == frame_of(before->config);
  for (std::size_t i = 0; as_asked && i < wanted.rules.size(); ++i) {
    const PortRule& rule = after->config.rules[i];
    if (editor.changes(i))
      as_asked = took(rule, keys_asked(change));
    else
      as_asked = rule == wanted.rules[i];
  }
  if (!as_asked)
    return fail(path + " is written in a way that a program cannot change safely; make the change by hand",
                kFailed);
  return edited;
}

std::string text_of_change(const Json& change) {
  const std::string op = change.value("op", "");
  const Json select = change.value("select", Json::object());
  const std::string rule = "port rule " + (select.contains("vip") ? select.value("vip", "") + ":" : "") +
                           select.value("ports", "") +
                           (select.contains("protocol") ? " " + select.value("protocol", "") : "");
  if (op == "rule-add") return "add port rule " + change.value("rule", Json::object()).value("ports", "");
  if (op == "rule-set") return "set " + rule;
  if (op == "rule-remove") return "remove " + rule;
  if (op == "vip-add") return "add VIP " + change.value("address", "");
  if (op == "vip-remove") return "remove VIP " + change.value("address", "");
  if (op == "weight")
    return "weight " + change.value("weight", Json()).dump() +
           (select.empty() ? " for every rule" : " for " + rule);
  return op;
}

}  // namespace nlb
