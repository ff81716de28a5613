// SPDX-License-Identifier: Apache-2.0
#include "nlbd/change_disk.hh"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>

#include "control/config_edit.hh"
#include "control/config_file.hh"
#include "control/config_text.hh"
#include "control/durable_file.hh"
#include "core/membership.hh"
#include "nlbd/daemon.hh"
#include "wire/codec.hh"

namespace nlb {
namespace {

using Json = nlohmann::json;

Error with_remedy(const Error& error) {
  if (error.code != EACCES && error.code != EPERM) return error;
  return {error.message +
              "; let nlbd's user write in that directory (chown opennlb /etc/opennlb), or make the "
              "change in the files by hand",
          error.code};
}

Json to_json(const wire::ConfigDigests& digests) {
  return {{"mode", digests.mode},
          {"period_ms", digests.period_ms},
          {"tolerance", digests.tolerance},
          {"vips", digests.vips},
          {"rules", digests.rules},
          {"seed", digests.seed},
          {"generation", digests.generation}};
}

wire::ConfigDigests digests_of_json(const Json& json) {
  return {json.at("mode").get<uint8_t>(),       json.at("period_ms").get<uint16_t>(),
          json.at("tolerance").get<uint16_t>(), json.at("vips").get<uint32_t>(),
          json.at("rules").get<uint32_t>(),     json.at("seed").get<uint32_t>(),
          json.at("generation").get<uint32_t>()};
}

struct What {
  Json change;
  wire::ConfigDigests base;  // what the coordinator has
};

// Written by another host, or read back from the disk.
Result<What> read_order(const core::ChangeOrder& order) {
  try {
    const Json what = Json::parse(order.what);
    return What{what.at("change"), digests_of_json(what.at("base"))};
  } catch (const Json::exception& error) {
    return fail(std::string("the change cannot be read: ") + error.what(), 1);
  }
}

Json to_json(const core::ChangeOrder& order) {
  return {
      {"id", order.id}, {"coordinator", order.coordinator}, {"members", order.members}, {"what", order.what}};
}

core::ChangeOrder order_of_json(const Json& json) {
  return {json.value("id", ""), json.value("coordinator", HostId{0}), json.value("members", HostSet{0}),
          json.value("what", "")};
}

}  // namespace

ChangeDisk::ChangeDisk(Daemon& daemon) : daemon_(daemon) {}

std::string ChangeDisk::staged_file() const {
  return daemon_.paths().config + ".change";
}

Json ChangeDisk::describe(const Json& change) const {
  const Config config = daemon_.config();
  return {{"change", change}, {"base", to_json(wire::digests_of(config, daemon_.newest_generation()))}};
}

Result<std::string> ChangeDisk::edited(const Json& change) const {
  const std::string& path = daemon_.paths().config;
  const auto text = read_config_text(path);
  if (!text) return tl::unexpected(text.error().within(path));
  const auto former = read_config(path);
  if (!former) return fail(former.error().front().text(), 2);
  if (!(wire::digests_of(*former, 0) == wire::digests_of(daemon_.config(), 0)))
    return fail(path + " has changes that are not in force yet; run `nlb reload` there, or take them back",
                1);
  try {
    return edit_config(*text, path, change);
  } catch (const Json::exception& error) {
    return fail(std::string("the change is not one: ") + error.what(), 2);
  }
}

Result<Config> ChangeDisk::judged_file(const std::string& path) const {
  auto judged = daemon_.judge_file(path);
  if (judged)
    if (auto free = daemon_.claim_new_vips(*judged); !free) judged = tl::unexpected(free.error());
  if (!judged) ::unlink(path.c_str());
  return judged;
}

Result<std::string> ChangeDisk::stage(const core::ChangeOrder& order) {
  const auto what = read_order(order);
  if (!what) return tl::unexpected(what.error());
  if (const char* item = core::differing_item(wire::digests_of(daemon_.config(), 0), what->base))
    return fail(fmt::format("{} differ{} from what host {} has: make them equal first", item,
                            std::string_view(item).ends_with('s') ? "" : "s", order.coordinator),
                1);
  const auto text = edited(what->change);
  if (!text) return text;
  if (auto written = write_beside(staged_file(), *text, daemon_.paths().config); !written)
    return tl::unexpected(with_remedy(written.error()));
  auto judged = judged_file(staged_file());
  if (!judged) return tl::unexpected(judged.error());
  daemon_.expect_change(true);
  const auto digests = wire::digests_of(*judged, 0);
  return fmt::format("vips {:08x} rules {:08x}", digests.vips, digests.rules);
}

bool ChangeDisk::apply(const core::ChangeOrder& order) {
  const auto what = read_order(order);
  if (what && ::access(staged_file().c_str(), F_OK) == 0) {
    if (auto placed = put_in_place(staged_file(), daemon_.paths().config); !placed) {
      daemon_.change_failed(placed.error().message);
      return false;
    }
    daemon_.set_generation(what->base.generation + 1);
  }
  if (auto loaded = daemon_.reload(); !loaded) daemon_.change_failed(loaded.error().message);
  daemon_.expect_change(false);
  return true;
}

void ChangeDisk::discard(const core::ChangeOrder&) {
  ::unlink(staged_file().c_str());
  daemon_.expect_change(false);
}

Result<void> ChangeDisk::save(const core::ChangeRecord& record) {
  Json prepared = Json::array(), ended = Json::array();
  for (const auto& order : record.prepared) prepared.push_back(to_json(order));
  for (const auto& end : record.ended) {
    Json json = to_json(end.order);
    json.update({{"committed", end.committed}, {"unconfirmed", end.unconfirmed}});
    ended.push_back(json);
  }
  return write_durably(daemon_.paths().state_directory + "/change.json",
                       Json{{"prepared", prepared}, {"ended", ended}}.dump() + "\n");
}

core::ChangeRecord ChangeDisk::load() const {
  std::ifstream stream(daemon_.paths().state_directory + "/change.json");
  const Json json = Json::parse(stream, nullptr, false);
  core::ChangeRecord record;
  if (!json.is_object()) return record;
  try {
    for (const Json& order : json.at("prepared")) record.prepared.push_back(order_of_json(order));
    for (const Json& end : json.at("ended"))
      record.ended.push_back(
          {order_of_json(end), end.at("committed").get<bool>(), end.at("unconfirmed").get<HostSet>()});
  } catch (const Json::exception&) {
    return {};  // not written by this program
  }
  return record;
}

Result<ChangeEffect> ChangeDisk::foresee(const Json& change) const {
  const auto text = edited(change);
  if (!text) return tl::unexpected(text.error());
  return daemon_.foresee(*text);
}

Result<void> ChangeDisk::apply_here(const Json& change) {
  const auto text = edited(change);
  if (!text) return tl::unexpected(text.error());
  const std::string fresh = daemon_.paths().config + ".new";
  if (auto written = write_beside(fresh, *text, daemon_.paths().config); !written)
    return tl::unexpected(with_remedy(written.error()));
  if (auto judged = judged_file(fresh); !judged) return tl::unexpected(judged.error());
  if (auto placed = put_in_place(fresh, daemon_.paths().config); !placed) return placed;
  return daemon_.reload();
}

}  // namespace nlb
